#!/bin/sh
# Makes .venv and installs the pinned set and the package into it: what `make setup` runs, and every other target first.
#
#   PYTHON       interpreter to use (default: that of the last set-up; python3; the newest that is supported)
#   TORCH_INDEX  address of one more package index, searched for builds of torch
#
# .venv/set-up.txt says what was installed from which files. It reads "state=started" until everything is in place,
# so an interrupted set-up is never taken as complete: the next call starts again from nothing.
set -eu
cd "$(dirname "$0")/.."
unset PYTHONPATH PYTHONHOME # experiment software leaks its own packages through them
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_USER=0 PYTHONUNBUFFERED=1
# The same pins for what builds a package as for the package; pip changed the variable's name in 25.3.
export PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt

tested="3.11 3.12 3.13"
venv=.venv
stamp=$venv/set-up.txt
log=_build/set-up.log

say() { printf 'hepflows: %s\n' "$*"; }
stop() {
    say "$*" >&2
    exit 1
}
recorded() { sed -n "s/^$1=//p" "$stamp" 2>/dev/null || true; }

# Prints "3.11 3.11.7 linux-x86_64 /usr/bin/python3.11": minor version, version, platform, the interpreter behind any venv.
describe() {
    "$1" -c 'import os, sys, sysconfig
base = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
version = sys.version_info
print("%d.%d %d.%d.%d %s %s" % (tuple(version[:2]) + tuple(version[:3]) + (sysconfig.get_platform(), base)))' 2>/dev/null
}

is_tested() { case " $tested " in *" $1 "*) true ;; *) false ;; esac }

# Sets minor, version, platform and base of the interpreter to use.
choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        found=$(describe "$PYTHON") || stop "PYTHON=$PYTHON does not run: expected a Python interpreter"
    else
        found=
        before=$(recorded python)
        for candidate in "${before#* }" python3 python3.13 python3.12 python3.11; do
            answer=$(describe "$candidate") || continue
            if is_tested "${answer%% *}"; then found=$answer && break; fi
        done
        # None of the tested versions: take what there is, and let the check below judge it.
        [ -n "$found" ] || found=$(describe python3) || stop "no Python found: install Python 3.11 or newer, or name one with PYTHON="
    fi
    minor=${found%% *} && found=${found#* }
    version=${found%% *} && found=${found#* }
    platform=${found%% *} && base=${found#* }
    if [ $((${minor%%.*} * 100 + ${minor#*.})) -lt 311 ]; then
        stop "Python $version ($base) is too old: the course needs 3.11 or newer; name another interpreter with PYTHON="
    fi
    is_tested "$minor" || say "Python $minor is newer than the versions that the course is tested with ($tested)"
}

check_tools() {
    "$base" -c 'import ensurepip, venv' 2>/dev/null ||
        stop "$base has no venv module: install it (Debian, Ubuntu: apt install python$minor-venv) or name another interpreter with PYTHON="
    case $platform in
    linux-x86_64 | linux-aarch64 | macosx-*) ;; # everything comes ready-made
    *)
        command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null ||
            stop "no C++ compiler found, and on $platform numpy, scipy and h5py must be compiled: install one, or use conda (environment.yml)"
        ;;
    esac
}

# One line for what went wrong, read from pip's own words.
explain() {
    if grep -q "No space left on device" "$log"; then
        echo "the disk is full"
    elif grep -qE "NewConnectionError|name resolution|ConnectTimeout|ReadTimeout|Max retries exceeded" "$log"; then
        echo "the package index cannot be reached; is the network up?"
    elif grep -qE "command '[^']*(cc|\+\+|clang)' failed: No such file|[Nn]o C(XX|\+\+)? compiler|CMAKE_C(XX)?_COMPILER" "$log"; then
        package=$(sed -n 's/^ *ERROR: Failed building wheel for //p' "$log" | head -n 1)
        echo "${package:-a package} must be compiled here and no C++ compiler was found; install one" \
            "(Debian, Ubuntu: apt install build-essential; macOS: xcode-select --install)"
    elif grep -q "No matching distribution found for torch" "$log"; then
        echo "no torch of the pinned version for Python $minor on $platform;" \
            "name another interpreter with PYTHON= or use conda (environment.yml)"
    else
        grep -E '^ *(ERROR|error):' "$log" | tail -n 1
    fi
}

# pip's hundreds of lines go to the log; this shows that it is alive and what takes long.
show_progress() {
    packages=0
    while IFS= read -r line; do
        case $line in
        Collecting* | Processing*)
            packages=$((packages + 1))
            if [ $((packages % 25)) -eq 0 ]; then say "  $packages packages found"; fi
            ;;
        *Downloading*[0-9][0-9].[0-9]" MB"* | *Downloading*" GB"*) say "  downloading${line##*Downloading}" ;;
        "Installing collected packages"*)
            commas=$(printf '%s' "$line" | tr -dc ,)
            say "  installing $((${#commas} + 1)) packages"
            ;;
        esac
    done
}

install() {
    extras=notebooks,test
    if [ "$platform" = linux-x86_64 ] && is_tested "$minor"; then
        extras=$extras,simulate
    else
        say "no event generation with Python $minor on $platform (there is no ready-made Pythia): the course's data sets are there"
    fi
    say "installing the pinned set and the package for Python $version into $venv (some minutes the first time)"
    mkdir -p _build
    rm -f _build/set-up.done
    {
        set -- --no-input --progress-bar off --editable ".[$extras]"
        if [ -n "$torch_index" ]; then set -- "$@" --extra-index-url "$torch_index"; fi
        if "$venv/bin/python" -m pip install "$@"; then : >_build/set-up.done; fi
    } 2>&1 | tee "$log" | show_progress
    [ -e _build/set-up.done ] || stop "set-up stopped: $(explain) (log: $log)"
}

torch_index=${TORCH_INDEX:-$(recorded torch_index)}
case $torch_index in
"" | http://* | https://* | file://*) ;;
*) stop "TORCH_INDEX=$torch_index: expected the address of a package index, such as https://..." ;;
esac
inputs=$(cat pyproject.toml constraints.txt tools/setup.sh | cksum | tr ' ' -)
root=$(pwd -P)

# Does .venv exist for this place and these wishes? Then only its contents may be out of date.
keep=no
if [ "$(recorded state)" = complete ] && [ -x $venv/bin/python ] && [ "$(recorded root)" = "$root" ] &&
    [ "$(recorded torch_index)" = "$torch_index" ]; then
    if [ -z "${PYTHON:-}" ]; then
        keep=yes
    else
        choose_python
        if [ "$(recorded python)" = "$version $base" ]; then keep=yes; fi
    fi
fi
if [ $keep = yes ] && [ "$(recorded inputs)" = "$inputs" ]; then exit 0; fi

other=$(recorded process)
if [ "$(recorded state)" = started ] && kill -0 "$other" 2>/dev/null; then
    stop "another set-up is at work in $venv (process $other): wait for it (if it is none, delete $venv)"
fi
started=$(date +%s)
if [ $keep = yes ]; then
    PYTHON=$venv/bin/python
    choose_python
else
    choose_python
    check_tools
    if [ -e $venv ] && [ ! -e $stamp ]; then
        stop "$venv was not made by this set-up: move it away or delete it (rm -r $venv), then try again"
    fi
    rm -rf $venv
    mkdir $venv
fi
write_stamp() {
    printf '%s\n' "state=$1" "process=$$" "inputs=$inputs" "python=$version $base" "torch_index=$torch_index" \
        "root=$root" >$stamp.part
    mv $stamp.part $stamp
}
write_stamp started
if [ $keep = no ]; then "$base" -m venv $venv || stop "$base cannot make a virtual environment in $venv"; fi
install
problem=$("$venv/bin/python" -c 'import h5py, jupyterlab, nflows, torch' 2>&1) ||
    stop "set-up stopped: the packages are installed but do not import: $(printf '%s\n' "$problem" | tail -n 1)"
write_stamp complete
say "ready in $(($(date +%s) - started)) s"
