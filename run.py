"""Prepare `.venv` beside this file, then run a command of the product in it. Needs Python and nothing else.

    python3 run.py                     the demonstration: a trained model, the service and the MLflow UI
    python3 run.py train my.csv ...    any other command of `forecaster`
    python3 run.py install             only prepare

uv does the work where it is on the path, else pip; both take the versions of constraints.txt and the sources
that pip is configured with. What is prepared already is left as it is.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / "python"
STAMP = VENV / "prepared"
CPU_TORCH = "https://download.pytorch.org/whl/cpu"  # 0.2 GB; the usual Linux build brings 2.7 GB of CUDA


def main(command: list[str]) -> None:
    if sys.version_info < (3, 11):
        sys.exit("Python 3.11 or newer is needed, not %d.%d: try make PYTHON=python3.11" % sys.version_info[:2])
    if prepared() != wanted():
        prepare()
    if command != ["install"]:
        os.execv(BIN / "forecaster", ["forecaster", *(command or ["demo"])])


def wanted() -> list[str]:
    """Two lines: where the environment lies and its Python; what goes into it."""
    files = b"".join((ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt"))
    return [f"{VENV} {' '.join(sys.version.split())}", hashlib.sha256(files).hexdigest()]


def prepared() -> list[str]:
    return STAMP.read_text().splitlines() if STAMP.is_file() else []


def prepare() -> None:
    """Make `.venv` anew where it has moved or its Python has changed, else bring its packages up to date."""
    uv = shutil.which("uv")
    if uv:
        make = [uv, "venv", "--seed", "--clear", "--python", sys.executable]
        # As pip does: the best of all indexes (that of torch has old versions of others), and bytecode now,
        # since each start takes 10 s more where Python may not write it later.
        install = [uv, "pip", "install", "--python", str(PYTHON)]
        install += ["--index-strategy", "unsafe-best-match", "--compile-bytecode"]
    else:
        make = [sys.executable, "-m", "venv", "--clear"]
        install = [str(PYTHON), "-m", "pip", "install"]
        if importlib.util.find_spec("ensurepip") is None:
            sys.exit("This Python makes no environments. On Debian and Ubuntu: sudo apt install python3-venv")
    anew = prepared()[:1] != wanted()[:1]
    STAMP.unlink(missing_ok=True)
    if anew:
        call([*make, str(VENV)])
    call([*install, *sources(), "-c", "constraints.txt", "-e", ".[dev]"])
    STAMP.write_text("\n".join(wanted()))


def sources() -> list[str]:
    """Where else packages come from: the folders that pip is told of, or the small torch where it will do."""
    settings = subprocess.check_output([PYTHON, "-m", "pip", "config", "list"], text=True)
    folders = os.environ.get("UV_FIND_LINKS", "").replace(",", " ").split()
    for setting in settings.splitlines():  # such as global.find-links='/one /two', or :env:.find-links='/one'
        key, value = setting.split("=", 1)
        if key.endswith(".find-links"):
            folders += ast.literal_eval(value).split()
    if folders or has_gpu() or sys.platform != "linux":
        return [f"--find-links={folder}" for folder in folders]
    return [f"--extra-index-url={CPU_TORCH}"]


def call(command: list[str]) -> None:
    code = subprocess.call(command, cwd=ROOT)
    if code:
        sys.exit(f"Stopped with {code}: {' '.join(command)}")


def has_gpu() -> bool:
    smi = shutil.which("nvidia-smi")
    return smi is not None and subprocess.run([smi, "-L"], stdout=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    main(sys.argv[1:])
