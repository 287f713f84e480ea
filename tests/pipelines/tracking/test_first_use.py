"""Several processes that use a store for the first time at the same moment."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from forecaster.errors import DataError
from pipelines.tracking.connection import connect

ROOT = Path(__file__).parents[3]
PROCESSES = 4
FIRST = """
import sys
import time
from pipelines.tracking.run import Run
print("ready", flush=True)
sys.stdin.readline()
with Run.start("experiment", sys.argv[1]) as run:
    run.metrics({"loss": 1.0})
"""


def test_a_file_of_another_kind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow.db").write_text("garbage, and more of it")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(DataError, match=r"mlflow\.db is no database of MLflow"):
        connect()


def test_they_all_find_it_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST, f"run {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0, told
    experiment = connect().get_experiment_by_name("experiment")
    assert experiment is not None
    runs = connect().search_runs([experiment.experiment_id])
    assert sorted(str(run.info.run_name) for run in runs) == [f"run {number}" for number in range(PROCESSES)]
    assert {run.info.status for run in runs} == {"FINISHED"}


def test_a_process_killed_while_it_makes_the_store_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = subprocess.Popen([sys.executable, "-c", "from pipelines.tracking.connection import connect; connect()"])
    half = tmp_path / "mlruns" / "mlflow.db.new"
    while not (half.exists() and half.stat().st_size):
        assert made.poll() is None
        time.sleep(0.01)
    made.kill()
    made.wait()
    assert not (tmp_path / "mlruns" / "mlflow.db").exists()
    assert connect().search_experiments()
