"""hepflows lab | run | student | data | generate | scoreboard."""

# Every command imports what it needs when it runs: `hepflows --help` must not wait for torch.
import argparse
import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path

from hepflows import provenance, records
from hepflows.errors import DataError, HepflowsError, InputError, MissingExtraError


def main(arguments=None):
    """Run a command; exit code 0: done, 1: a notebook failed, 2: bad usage or input, 130: interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except KeyboardInterrupt:
        print("hepflows: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `hepflows scoreboard | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (
        HepflowsError,
        OSError,
    ) as error:  # what the user can mend; anything else is a fault of ours, with traceback
        print(f"hepflows: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parser():
    parser = argparse.ArgumentParser(prog="hepflows", description="A course on normalizing flows for particle physics.")
    parser.add_argument("--version", action="version", version=f"hepflows {provenance.version('hepflows')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    lab = commands.add_parser("lab", help="open the course in JupyterLab")
    lab.add_argument(
        "--port", type=_integer(1, 65535), help="port of the server (default: the first free one from 8888)"
    )
    lab.add_argument("--no-browser", action="store_true", help="start the server only")
    lab.set_defaults(command=_lab)

    run = commands.add_parser(
        "run",
        help="execute notebooks, keep what they measured",
        description="Executes notebooks in fresh kernels. Exit code 1 if one fails; the others still run.",
    )
    run.add_argument("names", nargs="+", metavar="NAME", help="05, gluon_momenta, 05_gluon_momenta, a path, or all")
    run.add_argument("--profile", choices=records.PROFILES, help="default: HEPFLOWS_PROFILE, or quick")
    run.add_argument("--seed", type=_integer(0, 2**32 - 1), help="default: HEPFLOWS_SEED, or the notebook's own")
    run.add_argument(
        "--results",
        default="_build/results",
        metavar="DIR",
        help="DIR/<profile>/<NN>.json receives the records (default: %(default)s; "
        "--results results replaces the numbers that ship with the course)",
    )
    run.add_argument(
        "--executed", metavar="DIR", help="keep the executed copies (default with --html: _build/notebooks)"
    )
    run.add_argument("--html", action="store_true", help="and a web page of each beside it")
    run.add_argument("--notebooks", metavar="DIR", help="folder of the notebooks (default: the course's own)")
    run.set_defaults(command=_run)

    student = commands.add_parser(
        "student",
        help="copy the notebooks without their solutions",
        description="Writes copies without the solution cells. A copy in which you have worked stays as it is.",
    )
    student.add_argument(
        "names", nargs="*", default=["all"], metavar="NAME", help="as for run (default: all notebooks)"
    )
    student.add_argument(
        "--out", default="_build/student", metavar="DIR", help="folder of the copies (default: %(default)s)"
    )
    student.add_argument("--force", action="store_true", help="replace copies in which you have worked, too")
    student.add_argument("--notebooks", metavar="DIR", help="folder of the notebooks (default: the course's own)")
    student.set_defaults(command=_student)

    data = commands.add_parser("data", help="the data sets and their cards")
    actions = data.add_subparsers(title="actions", required=True, metavar="ACTION")
    actions.add_parser("list", help="one line per data set").set_defaults(command=_data_list)
    show = actions.add_parser("show", help="the data card of one")
    show.add_argument("name", metavar="NAME")
    show.set_defaults(command=_data_show)
    fetch = actions.add_parser(
        "download",
        help="fetch a public original by its DOI",
        description="Fetches the files of a public data set, compares them with the archive's checksums, checks what "
        "they contain and keeps it with the columns of the course. A transfer that broke off is continued.",
    )
    fetch.add_argument("name", metavar="NAME", help="as named by data list")
    fetch.add_argument("--folder", metavar="DIR", help="default: HEPFLOWS_DATA, or the user's cache")
    fetch.add_argument("--files", nargs="+", metavar="FILE", help="names in the archive, if they must be said")
    fetch.set_defaults(command=_data_download)

    generate = commands.add_parser("generate", help="make a data set anew")
    generate.add_argument("name", metavar="NAME")
    generate.add_argument("--events", type=_integer(1), required=True, metavar="N", help="number of events")
    crew = generate.add_mutually_exclusive_group()
    crew.add_argument("--workers", type=_integer(1), default=1, metavar="W", help="processes (default: 1)")
    crew.add_argument(
        "--scheduler", metavar="ADDRESS", help="a dask scheduler, such as tcp://10.0.0.1:8786: its workers do the work"
    )
    generate.add_argument("--seed", type=_integer(0), default=1, metavar="S", help="default: 1")
    generate.add_argument("--out", required=True, metavar="FILE", help="file to write")
    generate.set_defaults(command=_generate)

    scoreboard = commands.add_parser("scoreboard", help="what the notebooks measured, beside the references")
    scoreboard.add_argument(
        "--results",
        metavar="DIR",
        help="default: _build/results if you have run notebooks here, else the shipped results",
    )
    scoreboard.add_argument("--profile", choices=records.PROFILES, help="default: both")
    scoreboard.set_defaults(command=_scoreboard)
    return parser


def _integer(smallest, largest=None):
    """argparse type: an integer within limits."""
    limits = f">= {smallest}" if largest is None else f"from {smallest} to {largest}"

    def convert(text):
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < smallest or (largest is not None and value > largest):
            raise argparse.ArgumentTypeError(f"expected an integer {limits}, got {text!r}")
        return value

    return convert


def _lab(options):
    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError("expected JupyterLab to be installed, and it is not; pip install 'hepflows[notebooks]'")
    folder = provenance.REPOSITORY
    if not (folder / "notebooks").is_dir():
        raise DataError(f"expected the course's notebooks in {folder / 'notebooks'}; run from a checkout of it")
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.default_url=/lab/tree/notebooks"]
    if options.port is not None:
        _check_port(options.port)
        command += [f"--ServerApp.port={options.port}", "--ServerApp.port_retries=0"]
    if options.no_browser:
        command += ["--no-browser"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # in a container the user is root, and Jupyter wants to be told
        command += ["--allow-root"]
    if os.name == "posix":
        sys.stdout.flush()
        return os.execv(command[0], command)  # Ctrl-C reaches Jupyter itself
    return subprocess.call(command)


def _check_port(port):
    with socket.socket() as probe:
        if os.name == "posix":  # a port that was just closed counts as free, as it does for Jupyter
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"--port: expected a free port, got {port} ({error.strerror}); choose another") from None


def _run(options):
    from hepflows import course, runner

    profile = options.profile or course.profile_from_environment()
    paths = runner.find_notebooks(options.names, options.notebooks)
    executed = options.executed or ("_build/notebooks" if options.html else None)
    failed = []
    for path in paths:
        try:
            report = runner.execute(path, profile, options.seed, options.results, executed, options.html)
        except runner.NotebookError as error:
            failed.append(path.stem)
            print(f"hepflows: {error}", file=sys.stderr, flush=True)
            continue
        memory = "unknown" if report.peak_memory_bytes is None else f"{report.peak_memory_bytes / 1e9:.2f} GB"
        line = f"{report.notebook}  passed  {report.seconds:.0f} s  peak memory {memory}  {len(report.records)} records"
        written = [str(path) for path in (report.results_path, report.executed_path, report.html_path) if path]
        print(f"{line}  -> {' '.join(written)}", flush=True)
    if failed:
        print(f"hepflows: {len(failed)} of {len(paths)} notebooks failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _student(options):
    from hepflows import runner, student

    paths = student.write(runner.find_notebooks(options.names, options.notebooks), options.out, options.force)
    print(f"{len(paths)} notebooks without solutions -> {options.out}")


def _data_list(options):
    from hepflows import datasets

    for name in datasets.list_datasets():
        print(datasets.card(name).summary())
    public = datasets.list_public()
    print("\npublic originals, after `hepflows data download NAME`:")
    for name, title in public.items():
        print(f"{name:<{max(map(len, public))}}  {title}")


def _data_show(options):
    from hepflows import datasets

    print(datasets.card(options.name).text())


def _data_download(options):
    from hepflows import datasets

    print(datasets.download(options.name, options.folder, options.files))


def _generate(options):
    try:
        from hepflows import generators

        known = list(generators.names())
        if options.name not in known:
            raise InputError(f"unknown data set {options.name!r}; can be generated: {', '.join(known)}")
        generators.generate(
            options.name,
            events=options.events,
            workers=options.workers,
            seed=options.seed,
            out=options.out,
            progress=True,
            scheduler=options.scheduler,
        )
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("hepflows"):
            raise  # the generator says itself what is missing, or the fault is ours
        raise MissingExtraError(
            f"generate: expected {error.name} to be installed, and it is not; pip install 'hepflows[simulate]'"
        ) from None
    print(options.out)


def _scoreboard(options):
    from hepflows import runner, scoreboard

    folder = Path(options.results) if options.results else runner.RESULTS
    if not options.results and not any(folder.glob("*/*.json")):
        folder = provenance.REPOSITORY / "results"
    reports = scoreboard.read_all(folder, options.profile)
    print(f"results in {folder}\n\n{scoreboard.table(reports)}")


if __name__ == "__main__":
    sys.exit(main())
