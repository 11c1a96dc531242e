"""Write the newest versions that pyproject.toml allows into constraints.txt: what `make constraints` runs."""

import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"


def main():
    old = CONSTRAINTS.read_text().splitlines()
    header = [line for line in old if line.startswith("#")]
    kept = [line for line in old if line.startswith("appnope==")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=")
    if f"{sys.version_info.major}.{sys.version_info.minor}" != oldest:
        # what runs on the oldest Python runs on the newer ones; the other way round fails
        sys.exit(f"expected Python {oldest}, got {sys.version.split()[0]}: make constraints PYTHON=python{oldest}")
    extras = project["optional-dependencies"]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        pip = [f"{folder}/bin/python", "-m", "pip"]
        install = [*pip, "install", "--upgrade", "setuptools", "--editable", f"{ROOT}[{','.join(extras)}]"]
        if os.environ.get("TORCH_INDEX"):
            install += ["--extra-index-url", os.environ["TORCH_INDEX"]]
        subprocess.run(install, check=True)
        freeze = [*pip, "freeze", "--exclude-editable", "--all", "--exclude", "pip"]
        frozen = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.splitlines()
    # 2.13.0+cpu -> 2.13.0; what a GPU build of torch brings is pinned by torch itself
    pins = [pin.partition("+")[0] for pin in frozen if not pin.startswith(("nvidia-", "cuda-", "triton"))]
    lines = header + sorted(set(pins + kept), key=lambda pin: pin.partition("==")[0].lower().replace("_", "-"))
    temporary = CONSTRAINTS.with_suffix(".part")
    temporary.write_text("\n".join(lines) + "\n")
    os.replace(temporary, CONSTRAINTS)
    subprocess.run(["git", "--no-pager", "diff", "--stat", "--", str(CONSTRAINTS)], cwd=ROOT, check=False)


if __name__ == "__main__":
    sys.exit(main())
