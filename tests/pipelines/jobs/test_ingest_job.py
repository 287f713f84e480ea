"""The day of a job that is asked for no date."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pandas as pd
import pytest

from pipelines.jobs import job
from pipelines.jobs.ingest import Ingest
from pipelines.jobs.run import run
from pipelines.runs.ledger import Ledger


class Clock(datetime):
    """What time it is."""

    told = datetime(2026, 11, 21, 22, 0, tzinfo=UTC)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(cls.told.timestamp(), tz)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "datetime", Clock)


def asked(tmp_path: Path, zone: str | None) -> Ingest:
    times = pd.date_range("2026-09-01", "2026-12-01", freq="D")
    pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0}).to_csv(tmp_path / "a.csv", index=False)
    return Ingest(job="ingest", name="sales", source=tmp_path / "a.csv", store=str(tmp_path / "store"), zone=zone)


@pytest.mark.parametrize(("zone", "last"), [("Australia/Melbourne", "2026-11-22"), (None, "2026-11-21")])
def test_today_is_on_the_clock_that_the_job_names(zone: str | None, last: str, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    outcome = run(asked(tmp_path, zone), None, ledger)
    days = (pd.Timestamp(last) - pd.Timestamp("2026-09-01")).days + 1
    assert outcome.reason.startswith(f"{days} rows")
    assert [one.key.as_of for one in ledger.attempts()] == [last]


def test_each_day_of_the_zone_is_done_though_utc_has_one_date_for_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At half past ten in Melbourne, before and after the clocks go on."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    for moment in (datetime(2026, 10, 3, 0, 30, tzinfo=UTC), datetime(2026, 10, 3, 23, 30, tzinfo=UTC)):
        monkeypatch.setattr(Clock, "told", moment)
        assert "done before" not in run(asked(tmp_path, "Australia/Melbourne"), None, ledger).reason
    assert {one.key.as_of for one in ledger.attempts()} == {"2026-10-03", "2026-10-04"}
