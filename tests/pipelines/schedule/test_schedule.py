"""Jobs by the clock: the real Dagster in its own environment, started as a person starts it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli.app import app
from pipelines.runs.attempts import FAILED, LOST, RUNNING, SUCCEEDED, Attempt
from pipelines.runs.events import Events
from pipelines.runs.ledger import open_ledger
from pipelines.schedule.backfill import ask
from tests.pipelines.jobs.test_jobs import daily
from tests.pipelines.processes import free_port, running

ROOT = Path(__file__).parents[3]
SECONDS = 300
RUNS = """{ runsOrError { ... on Runs { results { status jobName assetSelection { path }
  eventConnection { events {
    ... on MaterializationEvent { metadataEntries { label ... on TextMetadataEntry { text } } }
    ... on ExecutionStepFailureEvent { failureMetadata { description } }
    ... on ExecutionStepUpForRetryEvent { stepKey __typename }
  } } } } } }"""
DAILY: dict[str, object] = {"cron": "0 5 * * *", "start": "2024-05-01", "retries": 2, "wait": "1s"}
READING: dict[str, object] = {"name": "sales", "source": "sales.csv"}
JOBS: dict[str, dict[str, object]] = {
    "retrain": READING | {"horizon": 7, "recipes": ["seasonal_naive"], "budget": "20s"},
    "backtest": READING | {"windows": 1, "schedule": DAILY},
    "absent": READING | {"job": "backtest", "source": "absent.csv", "schedule": DAILY},
    "arrived": READING | {"job": "score", "out": "forecasts.csv", "schedule": DAILY | {"watch": "sales.csv"}},
}


@pytest.fixture(scope="session")
def installed() -> Path:
    """Dagster, installed once for all tests of this checkout."""
    folder = ROOT / ".venv-dagster"
    prepare = [sys.executable, "-m", "pipelines", "schedule", "prepare", "--dagster", str(folder)]
    subprocess.run(prepare, cwd=ROOT, check=True)
    return folder


@dataclass(frozen=True)
class Dagster:
    """A running one."""

    url: str
    process: "subprocess.Popen[bytes]"

    def backfill(self, job: str, first: str, last: str) -> None:
        done = CliRunner().invoke(app, ["schedule", "backfill", job, first, last, "--url", self.url])
        assert done.exit_code == 0, done.output

    def ended(self, job: str) -> list[dict[str, Any]]:
        """The runs of a job that have ended, newest first."""
        runs = ask(self.url, RUNS, {})["runsOrError"]["results"]
        ours = [run for run in runs if run["jobName"] == f"{job}_job" or run["assetSelection"] == [{"path": [job]}]]
        return [run for run in ours if run["status"] in {"SUCCESS", "FAILURE"}]


@pytest.fixture(scope="module")
def dagster(installed: Path, empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagster]:
    """It runs `JOBS`, in a folder that has a champion, and an event that calls for another."""
    folder, port = tmp_path_factory.mktemp("by the clock"), free_port()
    (folder / "mlruns").mkdir()
    (folder / "jobs").mkdir()
    shutil.copy(empty_database, folder / "mlruns" / "mlflow.db")
    daily().to_csv(folder / "sales.csv", index=False)
    for name, job in JOBS.items():
        (folder / "jobs" / f"{name}.yaml").write_text(yaml.safe_dump({"job": name} | job))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        made = CliRunner().invoke(app, ["run", "jobs/retrain.yaml", "--as-of", "2024-05-01"])
        assert made.exit_code == 0, made.output
        Events(open_ledger()).call("retrain", "sales", ["drift"])
        command = ["-m", "pipelines", "schedule", "up", "jobs", "--dagster", str(installed), "--port", str(port)]
        with running(command, url := f"http://127.0.0.1:{port}", {}, SECONDS) as process:
            yield Dagster(url, process)


def until(what: Callable[[], Any]) -> Any:
    """What there is, as soon as there is something."""
    deadline = time.monotonic() + SECONDS
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def attempts(job: str, outcome: str, since: str = "2024-05-02") -> list[Attempt]:
    every = open_ledger().attempts()
    return [one for one in every if (one.key.job, one.outcome) == (job, outcome) and one.key.as_of >= since]


def told(run: dict[str, Any]) -> dict[str, str]:
    """The metadata that a run shows."""
    entries = [entry for event in run["eventConnection"]["events"] for entry in event.get("metadataEntries", [])]
    return {entry["label"]: entry["text"] for entry in entries if "text" in entry}


def test_an_event_calls_for_a_retrain(dagster: Dagster) -> None:
    (retrained,) = until(lambda: attempts("retrain", SUCCEEDED))
    today = datetime.now(UTC).date()
    assert (today - datetime.fromisoformat(retrained.key.as_of).date()).days <= 1
    assert Events(open_ledger()).open() == []
    (run,) = until(lambda: dagster.ended("retrain"))
    assert run["status"] == "SUCCESS"
    assert told(run) == {"reason": retrained.reason, "version": str(retrained.version)}


def test_a_new_file_calls_for_a_job(dagster: Dagster) -> None:
    (scored,) = until(lambda: attempts("score", SUCCEEDED))
    arrived = datetime.fromtimestamp(Path("sales.csv").stat().st_mtime, UTC)
    assert scored.key.as_of == f"{arrived:%Y-%m-%dT%H:%M:%S}"
    assert Path("forecasts.csv").exists()


def test_a_backfill_whose_first_run_is_killed_succeeds_for_each_day_once(dagster: Dagster) -> None:
    by_hand = CliRunner().invoke(app, ["run", "jobs/backtest.yaml", "--as-of", "2024-06-03"])
    assert by_hand.exit_code == 0, by_hand.output
    dagster.backfill("backtest", "2024-06-01", "2024-06-03")
    (first,) = until(lambda: attempts("backtest", RUNNING))
    os.kill(int(first.owner.split()[-1]), signal.SIGKILL)
    runs = until(lambda: found if len(found := dagster.ended("backtest")) == 3 else None)
    assert [run["status"] for run in runs] == ["SUCCESS"] * 3
    assert ["done before" in told(run)["reason"] for run in runs] == [True, False, False]
    assert sum("ExecutionStepUpForRetryEvent" in str(run) for run in runs) == 1
    assert {told(run)["version"] for run in runs} <= {"1", "2"}
    assert all("mase" in told(run)["reason"] for run in runs)
    days = [one.key.as_of for one in attempts("backtest", SUCCEEDED)]
    assert sorted(days) == ["2024-06-01", "2024-06-02", "2024-06-03"]
    assert [one.key.as_of for one in attempts("backtest", LOST)] == [first.key.as_of]


def test_what_a_person_has_to_mend_is_not_tried_again(dagster: Dagster) -> None:
    dagster.backfill("absent", "2024-06-01", "2024-06-01")
    (run,) = until(lambda: dagster.ended("absent"))
    assert run["status"] == "FAILURE"
    assert "absent.csv" in str(run["eventConnection"])
    assert [one.number for one in attempts("backtest", FAILED)] == [1]


def test_a_job_that_is_not_there_is_said(dagster: Dagster) -> None:
    wrong = CliRunner().invoke(
        app, ["schedule", "backfill", "retire", "2024-06-01", "2024-06-02", "--url", dagster.url]
    )
    assert wrong.exit_code == 2
    assert "retire" in wrong.output
    none = CliRunner().invoke(app, ["schedule", "backfill", "a", "b", "c", "--url", "http://127.0.0.1:9"])
    assert none.exit_code == 75


def test_ctrl_c_ends_all_that_was_started(dagster: Dagster) -> None:
    started = psutil.Process(dagster.process.pid).children(recursive=True)
    assert len(started) > 2
    dagster.process.send_signal(signal.SIGINT)
    dagster.process.wait(60)
    assert psutil.wait_procs(started, 30)[1] == []
