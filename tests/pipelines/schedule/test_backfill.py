"""Backfills: thirty days while a fifth of the runs are killed, as processes of their own."""

import multiprocessing
import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing.context import ForkServerContext
from pathlib import Path
from threading import Thread

import pytest
import yaml
from typer.testing import CliRunner

from forecaster.errors import DataError
from pipelines.cli.app import app
from pipelines.runs.attempts import LOST, SUCCEEDED, Attempt
from pipelines.runs.ledger import Ledger, open_ledger
from pipelines.schedule.backfill import backfill
from tests.pipelines.jobs.test_jobs import daily

DAYS = [str(date(2024, 6, 1) + timedelta(days)) for days in range(30)]
RETRAIN = {
    "job": "retrain",
    "name": "sales",
    "source": "sales.csv",
    "horizon": 7,
    "recipes": ["seasonal_naive"],
    "budget": "20s",
}
BACKTEST = {"job": "backtest", "name": "sales", "source": "sales.csv", "windows": 1}


def command(job: str, as_of: str) -> None:
    """What `forecaster run` is, in a process that has imported everything."""
    with Path("log").open("a") as log:
        sys.stdout = sys.stderr = log
        app(["run", job, "--as-of", as_of])


def attempts(ledger: Ledger) -> list[Attempt]:
    return [one for one in ledger.attempts() if one.key.job == "backtest"]


@pytest.fixture
def server(home: Path) -> ForkServerContext:
    """Starts processes in no time, in a folder with a champion."""
    daily().to_csv("sales.csv", index=False)
    Path("retrain.yaml").write_text(yaml.safe_dump(RETRAIN))
    Path("backtest.yaml").write_text(yaml.safe_dump(BACKTEST))
    done = CliRunner().invoke(app, ["run", "retrain.yaml", "--as-of", "2024-05-01"])
    assert done.exit_code == 0, done.output
    context = multiprocessing.get_context("forkserver")
    stores = ["mlflow.store.tracking.sqlalchemy_store", "mlflow.store.model_registry.sqlalchemy_store"]
    context.set_forkserver_preload(["pipelines.cli.app", "pipelines.jobs.run", "pipelines.jobs.file", *stores])
    return context


def test_thirty_days_with_a_fifth_of_the_runs_killed_are_thirty_successes(server: ForkServerContext) -> None:
    moments, ledger = random.Random(0), open_ledger()

    def attempt(day: str, doomed: bool) -> int | None:
        process = server.Process(target=command, args=("backtest.yaml", day))
        process.start()
        if doomed:
            while process.is_alive() and not any(one.key.as_of == day for one in attempts(ledger)):
                time.sleep(0.01)
            time.sleep(moments.uniform(0, 0.1))
            process.kill()
        process.join()
        return process.exitcode

    doomed = moments.sample(DAYS, len(DAYS) // 5)
    for day in DAYS:
        if day in doomed:
            assert attempt(day, doomed=True) == -signal.SIGKILL
        assert attempt(day, doomed=False) == 0
    for day in DAYS[:3]:  # fired again, together
        with ThreadPoolExecutor(2) as pool:
            assert list(pool.map(lambda _, day=day: attempt(day, doomed=False), range(2))) == [0, 0]
    assert [one.key.as_of for one in attempts(ledger) if one.outcome == SUCCEEDED] == DAYS
    assert [one.key.as_of for one in attempts(ledger) if one.outcome == LOST] == sorted(doomed)
    assert len(attempts(ledger)) == len(DAYS) + len(doomed)


def test_what_answers_and_is_no_dagster_is_told() -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as page:
        Thread(target=page.handle_request, daemon=True).start()
        with pytest.raises(DataError, match="what answers with status 404 is no Dagster"):
            backfill(f"http://127.0.0.1:{page.server_port}", "sales", "2024-06-01", "2024-06-30")
