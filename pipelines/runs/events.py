"""What calls for a job out of turn, such as a monitor's alarm for a retrain: rows beside the run ledger."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text, insert, select

from pipelines.runs.attempts import SUCCEEDED
from pipelines.runs.ledger import Ledger

_tables = MetaData()
_events = Table(
    "forecaster_events",
    _tables,
    Column("id", Integer, primary_key=True),
    Column("job", String(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("at", Float, nullable=False),
    Column("reason", Text, nullable=False),
)


@dataclass(frozen=True)
class Event:
    """A call for a job."""

    id: int
    job: str
    """Its kind, such as retrain."""
    name: str
    """The model."""
    at: float
    """Seconds since 1970."""
    reason: str


class Events:
    """The calls that a ledger holds. One is open until a run of that job that began later has succeeded.

    So nobody has to take an event: who reads it twice fires the same job for the same moment, which runs once, and
    an event whose job failed stays to be seen.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        ledger.database.create(_tables)

    def call(self, job: str, name: str, reasons: Sequence[str]) -> Event:
        """Write an event, or leave it at the open one that calls for the same."""
        for event in self.open():
            if (event.job, event.name) == (job, name):
                return event
        at, reason = time.time(), "; ".join(reasons)
        row = insert(_events).values(job=job, name=name, at=at, reason=reason).returning(_events.c.id)
        with self._ledger.database.writing() as connection:
            return Event(connection.execute(row).scalar_one(), job, name, at, reason)

    def open(self) -> list[Event]:
        """Events that wait for their job, oldest first."""
        done: dict[tuple[str, str], float] = {}
        for attempt in self._ledger.attempts():  # oldest first
            if attempt.outcome == SUCCEEDED:
                done[attempt.key.job, attempt.key.name] = attempt.began
        with self._ledger.database.reading() as connection:
            every = [Event(**row._mapping) for row in connection.execute(select(_events).order_by(_events.c.id))]
        return [event for event in every if done.get((event.job, event.name), 0.0) < event.at]
