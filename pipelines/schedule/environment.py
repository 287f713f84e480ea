"""Dagster: an environment of its own, whose pins never meet ours, and its start."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

from forecaster.errors import DataError

PACKAGE = Path(str(resources.files("pipelines"))) / "schedule"
INSTANCE = """\
# Made by `forecaster schedule up` where there was none, and yours to change; all keys:
# https://docs.dagster.io/deployment/oss/dagster-yaml
telemetry:
  enabled: false
nux:  # the page asks for no newsletter
  enabled: false
python_logs:
  python_log_level: INFO
concurrency:
  runs:
    max_concurrent_runs: 2
  # One at a time for each model, for a retrain builds on the champion of the date before.
  pools:
    default_limit: 1
    granularity: run
# A run whose process died, or whose machine did, begins again. Retries of a job that failed are in its job file.
run_retries:
  enabled: true
  max_retries: 3
  retry_on_asset_or_op_failure: false
run_monitoring:
  enabled: true
"""
"""Its settings, dagster.yaml."""


def prepare(folder: Path) -> Path:
    """The Python of Dagster's environment, which is made in `folder`, or made anew where its pins have changed."""
    pins, stamp = PACKAGE / "requirements.txt", folder / "prepared"
    python = folder / "bin" / "python"
    wanted = f"{folder.resolve()} {sys.version} {hashlib.sha256(pins.read_bytes()).hexdigest()}"
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of two that prepare at once, one waits for the other
        if stamp.is_file() and stamp.read_text() == wanted:
            return python
        print(f"preparing Dagster in {folder}, once", flush=True)
        for command in (
            [sys.executable, "-m", "venv", "--clear", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(pins)],
        ):
            if code := subprocess.call(command):
                shutil.rmtree(folder, ignore_errors=True)
                raise DataError(f"Dagster was not installed, see above (exit code {code})", place=" ".join(command))
        stamp.write_text(wanted)
    return python


def environment(folder: Path) -> dict[str, str]:
    """What tells Dagster where it keeps its runs, and `definitions.py` what to call for the job files of a folder."""
    home = Path("mlruns", "dagster").absolute()
    home.mkdir(parents=True, exist_ok=True)
    if not (settings := home / "dagster.yaml").exists():
        settings.write_text(INSTANCE)
    return os.environ | {
        "DAGSTER_HOME": str(home),
        "FORECASTER_COMMAND": json.dumps([sys.executable, "-P", "-m", "pipelines"]),
        "FORECASTER_HOME": str(Path.cwd()),
        "FORECASTER_JOBS": str(folder.absolute()),
    }
