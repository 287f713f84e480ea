"""Calls for a job, and what a job file says of when it runs."""

import shutil
import time
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from forecaster.errors import DataError
from pipelines.cli.app import app
from pipelines.faults import UnavailableError
from pipelines.jobs.firing import Schedule
from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.jobs.run import run
from pipelines.runs.attempts import FAILED, SUCCEEDED, Key
from pipelines.runs.events import Events
from pipelines.runs.ledger import Ledger
from pipelines.schedule.folder import jobs

RETRAIN = {"job": "retrain", "name": "sales", "source": "sales.csv", "horizon": 7}
DAILY = {"cron": "0 6 * * *", "zone": "Europe/Berlin", "start": "2026-11-01"}


class Nothing(Job):
    """Takes no time."""

    def work(self, turn: Turn) -> Outcome:  # noqa: ARG002
        return Outcome("nothing")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def attempt(ledger: Ledger, as_of: str, outcome: str) -> None:
    key = Key("retrain", "sales", as_of, "")
    begun = ledger.begin(key, ledger.last(key))
    assert begun is not None
    ledger.end(begun, outcome, "")


def test_an_event_is_open_until_a_later_run_succeeds(ledger: Ledger) -> None:
    attempt(ledger, "2026-11-20", SUCCEEDED)
    events = Events(ledger)
    called = events.call("retrain", "sales", ["the error is above what was promised", "drift"])
    assert called.reason == "the error is above what was promised; drift"
    assert events.open() == [called]
    attempt(ledger, "2026-11-21", FAILED)
    assert Events(ledger).open() == [called]
    attempt(ledger, "2026-11-21", SUCCEEDED)
    assert events.open() == []


def test_what_is_called_for_already_is_not_called_for_again(ledger: Ledger) -> None:
    events = Events(ledger)
    first = events.call("retrain", "sales", ["drift"])
    assert events.call("retrain", "sales", ["drift"]) == first
    other = events.call("retrain", "energy", ["drift"])
    assert events.open() == [first, other]
    attempt(ledger, "2026-11-21", SUCCEEDED)
    assert events.call("retrain", "sales", ["drift"]).id > other.id


def test_the_command_lists_them(home: Path) -> None:
    Events(Ledger(f"sqlite:///{home / 'mlruns' / 'ledger.db'}")).call("retrain", "sales", ["drift"])
    assert "drift" in CliRunner().invoke(app, ["events"]).stdout
    (told,) = yaml.safe_load(CliRunner().invoke(app, ["events", "--json"]).stdout)
    assert (told["job"], told["name"], told["reason"]) == ("retrain", "sales", "drift")
    assert told["at"][:4] == time.strftime("%Y", time.gmtime())


def test_another_schedule_is_not_another_job(ledger: Ledger) -> None:
    run(Nothing(name="sales"), "2026-11-21", ledger)
    again = Nothing(name="sales", schedule=Schedule.model_validate(DAILY))
    assert "done before" in run(again, "2026-11-21", ledger).reason


@pytest.mark.parametrize(
    "line", ["* * * * *", "0 6 * * *", "*/15 * * * *", "0 6,18 1-7 1-12/2 0", "59 23 31 12 7", "30 4 * * 1-5"]
)
def test_a_cron_line(line: str) -> None:
    assert Schedule.model_validate(DAILY | {"cron": line}).cron == line


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("cron", "0 6 * *", "five fields"),
        ("cron", "60 6 * * *", "'60' is no minute"),
        ("cron", "0 24 * * *", "hour"),
        ("cron", "0 6 0 * *", "day"),
        ("cron", "0 6 9-3 * *", "9-3"),
        ("cron", "0 6 * * mon", "weekday"),
        ("cron", "*/0 * * * *", "minute"),
        ("zone", "Berlin", "time zone"),
        ("retries", -1, "retries"),
        ("wait", "soon", "wait"),
        ("start", "yesterday", "start"),
        ("every", "1h", "every"),
    ],
)
def test_a_wrong_schedule_is_refused_by_key(key: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Schedule.model_validate(DAILY | {key: value})


def test_a_day_is_the_date_of_what_runs_once_a_day() -> None:
    assert Schedule.model_validate(DAILY).form == "%Y-%m-%d"
    assert Schedule.model_validate(DAILY | {"cron": "0 */6 * * *"}).form == "%Y-%m-%dT%H:%M"


def test_a_folder_is_told_job_by_job(tmp_path: Path) -> None:
    (tmp_path / "nightly-retrain.yaml").write_text(yaml.safe_dump(RETRAIN | {"schedule": DAILY}))
    (tmp_path / "by hand.yml").write_text(yaml.safe_dump(RETRAIN | {"job": "train"}))
    by_hand, nightly = jobs(tmp_path)
    assert (nightly["asset"], nightly["job"], nightly["name"]) == ("nightly_retrain", "retrain", "sales")
    assert nightly["schedule"]["cron"] == "0 6 * * *"
    assert nightly["schedule"]["wait"] == 60.0
    assert (by_hand["asset"], by_hand["schedule"]) == ("by_hand", None)
    (tmp_path / "nightly_retrain.yaml").write_text(yaml.safe_dump(RETRAIN))
    with pytest.raises(DataError, match="two job files"):
        jobs(tmp_path)


def test_a_folder_of_nothing_or_of_a_wrong_job_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no job file"):
        jobs(tmp_path)
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(RETRAIN | {"schedule": DAILY | {"cron": "daily"}}))
    with pytest.raises(DataError, match=r"wrong.yaml.*schedule.cron.*five fields"):
        jobs(tmp_path)


def test_the_jobs_of_the_sample_are_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        CliRunner().invoke(app, ["schedule", "jobs", str(Path(__file__).parents[3] / "pipelines/sample/jobs")]).stdout
    )
    assert [line.split()[0] for line in said.splitlines()] == ["retrain", "score"]


def test_a_database_that_is_gone_is_told(tmp_path: Path) -> None:
    (folder := tmp_path / "there").mkdir()
    events = Events(Ledger(f"sqlite:///{folder}/ledger.db"))
    shutil.rmtree(folder)
    with pytest.raises(UnavailableError, match=r"the ledger .* does not answer"):
        events.open()
    with pytest.raises(UnavailableError, match=r"the ledger .* does not answer"):
        events.call("retrain", "sales", ["drift"])
