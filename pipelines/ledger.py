"""The run ledger: which job ran for which date, in a database that all machines share.

Every attempt is a row, and a unique constraint on job, name, as-of date, configuration and number of the attempt lets
one process alone begin it, on any database. Who runs it renews a lease; when that is silent for `LEASE` seconds, or the
process is seen to be dead, the attempt counts as lost, and another process may begin the next one. Clocks of machines
have to agree better than that.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    Column,
    ColumnElement,
    Engine,
    Float,
    Integer,
    MetaData,
    NullPool,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from pipelines.faults import LostError, UnavailableError

VARIABLE = "FORECASTER_LEDGER"
"""Environment variable with the URL of the database, such as postgresql+psycopg://user:password@host/database."""
LEASE = 20.0
"""Seconds without a sign of life after which an attempt counts as lost."""
BEAT = 4.0
"""Seconds between signs of life."""
RUNNING, SUCCEEDED, FAILED, LOST = "running", "succeeded", "failed", "lost"

_tables = MetaData()
_attempts = Table(
    "forecaster_attempts",
    _tables,
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
_locks = Table("forecaster_locks", _tables, Column("name", String(100), primary_key=True), Column("owner", String(200)))


@dataclass(frozen=True)
class Key:
    """What is run once."""

    job: str
    name: str
    as_of: str
    config: str
    """Digest of the job's settings."""


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

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended if self.ended is not None else self.seen) - self.began


class Ledger:
    """A run ledger; its tables are made when they are not there.

    Raises UnavailableError where the database does not answer, or has no room.
    """

    def __init__(self, url: str) -> None:
        local = url.startswith("sqlite")
        self.engine: Engine = create_engine(url, connect_args={"timeout": 60} if local else {}, poolclass=NullPool)
        with self._answering():
            create(self.engine, _tables)

    def last(self, key: Key) -> Attempt | None:
        """The newest attempt."""
        newest = select(_attempts).where(*_is(key)).order_by(_attempts.c.attempt.desc()).limit(1)
        with self._answering(), self.engine.connect() as connection:
            row = connection.execute(newest).first()
        return _attempt(row) if row is not None else None

    def attempts(self, name: str | None = None) -> list[Attempt]:
        """All attempts, of all jobs or of those of one name, oldest first."""
        chosen = select(_attempts).order_by(_attempts.c.began, _attempts.c.id)
        if name is not None:
            chosen = chosen.where(_attempts.c.name == name)
        with self._answering(), self.engine.connect() as connection:
            return [_attempt(row) for row in connection.execute(chosen)]

    def begin(self, key: Key, last: Attempt | None) -> Attempt | None:
        """The attempt after `last`, the newest one; None while that is running, or where another process was faster."""
        now = time.time()
        if last is not None and last.outcome == RUNNING and now - last.seen < LEASE and not _dead(last.owner):
            return None
        row = {"attempt": last.number + 1 if last is not None else 1, "owner": _owner(), "began": now, "seen": now}
        try:
            with self._answering(), self.engine.begin() as connection:
                if last is not None and last.outcome == RUNNING:
                    silent = (_attempts.c.id == last.id, _attempts.c.outcome == RUNNING, _attempts.c.seen == last.seen)
                    ending = {"outcome": LOST, "reason": "no sign of life", "ended": now}
                    if not connection.execute(update(_attempts).where(*silent).values(ending)).rowcount:
                        return None
                connection.execute(insert(_attempts).values(vars(key) | row | {"outcome": RUNNING, "reason": ""}))
        except IntegrityError:
            return None
        return self.last(key)

    @contextmanager
    def alive(self, attempt: Attempt) -> Iterator[None]:
        """Give signs of life from a thread of its own."""
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(BEAT):
                try:
                    self._update(attempt, {"seen": time.time()})
                except (UnavailableError, LostError):  # it is seen when the attempt ends or promotes
                    continue

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def end(self, attempt: Attempt, outcome: str, reason: str, version: str | None = None) -> None:
        """Write down how an attempt ended. Raises LostError where it is no longer ours."""
        now = time.time()
        ending = {"outcome": outcome, "reason": reason, "version": version, "seen": now, "ended": now}
        self._update(attempt, ending)

    @contextmanager
    def exclusive(self, name: str, attempt: Attempt | None = None) -> Iterator[None]:
        """One process at a time, for the model of this name; the database lets go when the process dies.

        Raises LostError where an attempt that is given is no longer ours.
        """
        try:
            with self._answering(), self.engine.begin() as connection:
                connection.execute(insert(_locks).values(name=name))
        except IntegrityError:
            pass
        with self._answering(), self.engine.begin() as connection:
            # Writing the row locks it, or all of SQLite, until the end of the transaction.
            connection.execute(update(_locks).where(_locks.c.name == name).values(owner=_owner()))
            if attempt is not None:
                ours = select(_attempts.c.outcome).where(_attempts.c.id == attempt.id)
                if connection.execute(ours).scalar() != RUNNING:
                    raise LostError(_lost(attempt))
            yield

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            where = self.engine.url.render_as_string(hide_password=True)
            cause = str(error.orig).strip().partition("\n")[0]
            raise UnavailableError(f"the ledger {where} does not answer ({cause}; see {VARIABLE})") from None

    def _update(self, attempt: Attempt, values: Mapping[str, object]) -> None:
        ours = (_attempts.c.id == attempt.id, _attempts.c.outcome == RUNNING)
        with self._answering(), self.engine.begin() as connection:
            if not connection.execute(update(_attempts).where(*ours).values(values)).rowcount:
                raise LostError(_lost(attempt))


def open_ledger() -> Ledger:
    """The ledger at FORECASTER_LEDGER, else a database in `mlruns` where we are."""
    url = os.environ.get(VARIABLE)
    if not url:
        folder = Path("mlruns").absolute()
        folder.mkdir(exist_ok=True)
        url = f"sqlite:///{folder / 'ledger.db'}"
    return Ledger(url)


def create(engine: Engine, tables: MetaData) -> None:
    """Make the tables that are not there."""
    try:
        tables.create_all(engine)
    except (OperationalError, ProgrammingError, IntegrityError):  # another process may have made them meanwhile
        tables.create_all(engine)


def _attempt(row: Row[tuple[object, ...]]) -> Attempt:
    values = dict(row._mapping)
    key = Key(*(values.pop(part) for part in ("job", "name", "as_of", "config")))
    return Attempt(key=key, number=values.pop("attempt"), **values)


def _is(key: Key) -> list[ColumnElement[bool]]:
    return [_attempts.c[column] == value for column, value in vars(key).items()]


def _owner() -> str:
    return f"{socket.gethostname()} {os.getpid()}"


def _dead(owner: str) -> bool:
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


def _lost(attempt: Attempt) -> str:
    return f"attempt {attempt.number} of {attempt.key.job} {attempt.key.name} was given up as lost, and may run again"
