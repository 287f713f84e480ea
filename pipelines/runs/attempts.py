"""The rows of the run ledger: attempts at jobs, and the processes that own them."""

import os
import socket
from dataclasses import dataclass

from sqlalchemy import Column, ColumnElement, Float, Integer, MetaData, Row, String, Table, Text, UniqueConstraint

RUNNING, SUCCEEDED, FAILED, LOST = "running", "succeeded", "failed", "lost"

TABLES = MetaData()
ATTEMPTS = Table(
    "forecaster_attempts",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("job", String(32), nullable=False),
    Column("name", String(100), nullable=False),
    Column("as_of", String(40), nullable=False),
    Column("config", String(64), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(200), nullable=False),
    Column("began", Float, nullable=False),
    Column("seen", Float, nullable=False),
    Column("ended", Float),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("version", String(20)),
    UniqueConstraint("job", "name", "as_of", "config", "attempt"),
)
LOCKS = Table("forecaster_locks", TABLES, Column("name", String(100), primary_key=True), Column("owner", String(200)))


@dataclass(frozen=True)
class Key:
    """What is run once."""

    job: str
    name: str
    as_of: str
    config: str
    """Digest of what the job's file says."""

    def rows(self) -> list[ColumnElement[bool]]:
        """What holds of the attempts at it."""
        return [ATTEMPTS.c[column] == value for column, value in vars(self).items()]


@dataclass(frozen=True)
class Attempt:
    """One row of the ledger; times are seconds since 1970."""

    id: int
    key: Key
    number: int
    """From 1 on."""
    owner: str
    began: float
    seen: float
    """The last sign of life."""
    ended: float | None
    outcome: str
    reason: str
    version: str | None
    """The model version that came of it."""

    @classmethod
    def read(cls, row: Row[tuple[object, ...]]) -> "Attempt":
        """An attempt from its row in the database."""
        values = dict(row._mapping)
        key = Key(*(values.pop(part) for part in ("job", "name", "as_of", "config")))
        return cls(key=key, number=values.pop("attempt"), **values)

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended if self.ended is not None else self.seen) - self.began


def this_process() -> str:
    """By which it owns what it runs: host and number of the process."""
    return f"{socket.gethostname()} {os.getpid()}"


def dead(owner: str) -> bool:
    """Whether it is a process of this machine that is no more: nobody has to wait for its lease."""
    host, number = owner.rsplit(" ", 1)
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it is another user's
        return False
    return False
