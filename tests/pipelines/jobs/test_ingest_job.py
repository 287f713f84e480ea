"""The day of a job that is asked for no date."""

from datetime import UTC, datetime, tzinfo
from pathlib import Path

import pandas as pd
import pytest

from pipelines.jobs import ingest
from pipelines.jobs.ingest import Ingest
from pipelines.jobs.job import Turn
from pipelines.runs.ledger import Ledger


class Evening(datetime):
    """The 21st in UTC, and already the 22nd in Melbourne."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Evening":
        return cls(2026, 11, 21, 22, 0, tzinfo=UTC).astimezone(tz)


@pytest.mark.parametrize(("zone", "hours"), [("Australia/Melbourne", 49), (None, 25)])
def test_all_before_today_is_today_on_the_clock_of_the_data(
    zone: str | None, hours: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "datetime", Evening)
    times = pd.date_range("2026-11-20", periods=72, freq="h")
    pd.DataFrame({"unique_id": "a", "ds": times, "y": 1.0}).to_csv(tmp_path / "a.csv", index=False)
    job = Ingest(
        job="ingest",
        name="sales",
        source=tmp_path / "a.csv",
        store=str(tmp_path / "store"),
        zone=zone,
    )
    outcome = job.work(Turn(None, "key", Ledger(f"sqlite:///{tmp_path / 'ledger.db'}").exclusive))
    assert outcome.reason.startswith(f"{hours} rows")
