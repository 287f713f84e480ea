"""The run ledger: which job ran for which date, in a database that all machines share.

Every attempt is a row, and a unique constraint on job, name, as-of date, configuration and number of the attempt lets
one process alone begin it, on any database. Who runs it renews a lease; when that is silent for `LEASE` seconds, or the
process is seen to be dead, the attempt counts as lost, and another process may begin the next one. Clocks of machines
have to agree better than that.
"""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from pipelines.database import Database
from pipelines.faults import LostError, UnavailableError
from pipelines.runs.attempts import ATTEMPTS, LOCKS, LOST, RUNNING, TABLES, Attempt, Key, dead, this_process

VARIABLE = "FORECASTER_LEDGER"
"""Environment variable with the URL of the database, such as postgresql+psycopg://user:password@host/database."""
LEASE = 20.0
"""Seconds without a sign of life after which an attempt counts as lost."""
BEAT = 4.0
"""Seconds between signs of life."""


class Ledger:
    """A run ledger; its tables are made when they are not there.

    Raises UnavailableError where the database does not answer, or has no room, and DataError where the URL is none or
    its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.database = Database(url, TABLES, variable=VARIABLE, what="the ledger")

    def last(self, key: Key) -> Attempt | None:
        """The newest attempt."""
        newest = select(ATTEMPTS).where(*key.rows()).order_by(ATTEMPTS.c.attempt.desc()).limit(1)
        with self.database.reading() as connection:
            row = connection.execute(newest).first()
        return Attempt.read(row) if row is not None else None

    def attempts(self, name: str | None = None) -> list[Attempt]:
        """All attempts, of all jobs or of those of one name, oldest first."""
        chosen = select(ATTEMPTS).order_by(ATTEMPTS.c.began, ATTEMPTS.c.id)
        if name is not None:
            chosen = chosen.where(ATTEMPTS.c.name == name)
        with self.database.reading() as connection:
            return [Attempt.read(row) for row in connection.execute(chosen)]

    def begin(self, key: Key, last: Attempt | None) -> Attempt | None:
        """The attempt after `last`, the newest one; None while that is running, or where another process was faster."""
        now = time.time()
        if last is not None and last.outcome == RUNNING and now - last.seen < LEASE and not dead(last.owner):
            return None
        row = {
            "attempt": last.number + 1 if last is not None else 1,
            "owner": this_process(),
            "began": now,
            "seen": now,
        }
        try:
            with self.database.writing() as connection:
                if last is not None and last.outcome == RUNNING:
                    silent = (ATTEMPTS.c.id == last.id, ATTEMPTS.c.outcome == RUNNING, ATTEMPTS.c.seen == last.seen)
                    ending = {"outcome": LOST, "reason": "no sign of life", "ended": now}
                    if not connection.execute(update(ATTEMPTS).where(*silent).values(ending)).rowcount:
                        return None
                connection.execute(insert(ATTEMPTS).values(vars(key) | row | {"outcome": RUNNING, "reason": ""}))
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
            with self.database.writing() as connection:
                connection.execute(insert(LOCKS).values(name=name))
        except IntegrityError:
            pass
        with self.database.writing() as connection:
            # Writing the row locks it, or all of SQLite, until the end of the transaction.
            connection.execute(update(LOCKS).where(LOCKS.c.name == name).values(owner=this_process()))
            if attempt is not None:
                ours = select(ATTEMPTS.c.outcome).where(ATTEMPTS.c.id == attempt.id)
                if connection.execute(ours).scalar() != RUNNING:
                    raise LostError(_lost(attempt))
            yield

    def _update(self, attempt: Attempt, values: Mapping[str, object]) -> None:
        ours = (ATTEMPTS.c.id == attempt.id, ATTEMPTS.c.outcome == RUNNING)
        with self.database.writing() as connection:
            if not connection.execute(update(ATTEMPTS).where(*ours).values(values)).rowcount:
                raise LostError(_lost(attempt))


def open_ledger() -> Ledger:
    """The ledger at FORECASTER_LEDGER, else a database in `mlruns` where we are."""
    url = os.environ.get(VARIABLE)
    if not url:
        folder = Path("mlruns").absolute()
        folder.mkdir(exist_ok=True)
        url = f"sqlite:///{folder / 'ledger.db'}"
    return Ledger(url)


def _lost(attempt: Attempt) -> str:
    return f"attempt {attempt.number} of {attempt.key.job} {attempt.key.name} was given up as lost, and may run again"
