"""`torchrun -m pipelines train`: one job, one learning curve, one champion."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.pipelines.training.test_job import QUICK, series

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def curve(home: Path) -> list[float]:
    """The learning curve of the only training job in a store."""
    client = MlflowClient(f"sqlite:///{home}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("forecaster")
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) - {"ensemble"} == {"train", "seasonal_naive", "own"}  # the two may be put together
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert not list((home / "mlruns" / "work").iterdir())
    return [point.value for point in client.get_metric_history(runs["own"].info.run_id, "loss")]


def train(home: Path, how: list[str]) -> str:
    series(home)
    (home / "own.yaml").write_text(QUICK)
    command = [sys.executable, *how, "-m", "pipelines", "train", "series.csv", "--horizon", "6", "--budget", "10m"]
    done = run([*command, "--recipe", "seasonal_naive,own.yaml"], home)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(command: list[str], home: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[3])}
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=300)


def test_two_processes_train_as_one(home: Path, tmp_path: Path, empty_database: Path) -> None:
    alone = tmp_path / "alone"
    (alone / "mlruns").mkdir(parents=True)
    (alone / "mlruns" / "mlflow.db").write_bytes(empty_database.read_bytes())
    assert train(home, TORCHRUN).count("champion: forecaster version 1") == 1
    assert "champion: forecaster version 1" in train(alone, [])
    assert curve(home) == pytest.approx(curve(alone), rel=1e-4)
    assert len(curve(home)) >= 2


@pytest.mark.parametrize("more", [["--search", "2"], ["--workers", "2"]])
def test_two_processes_do_one_thing_at_a_time(home: Path, more: list[str]) -> None:
    series(home)
    command = [sys.executable, *TORCHRUN, "-m", "pipelines", "train", "series.csv", "--horizon", "6", *more]
    done = run(command, home)
    assert done.returncode != 0
    assert "run it without torchrun" in done.stderr
