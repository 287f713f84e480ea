"""The steps of series that live on between requests, in a database that all workers and machines share.

They are the truth: what a worker remembers of a series is a fold over its first steps, and goes on with those that
came since, whoever wrote them. A step that is said again counts once. One that is said late, or otherwise than before,
raises the revision of its series, which is then read anew.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import orjson
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import ArgumentError

from forecaster.errors import DataError
from pipelines.database import Database
from pipelines.streams.steps import Said
from pipelines.streams.stream import Stream
from pipelines.streams.tables import STEPS, STREAMS, TABLES
from pipelines.streams.writer import Writer

VARIABLE = "FORECASTER_STREAMS"
"""Environment variable with the URL of the database."""
SUCH_AS = "such as sqlite:////var/lib/forecaster/streams.db or postgresql+psycopg://user:password@host/database"


class Streams:
    """The series of all models, by their names and ids, in a database that has to be `there` or is begun.

    Raises what `Database` does.
    """

    def __init__(self, url: str, *, there: bool = False) -> None:
        what = "the database of streams"
        self.database = Database(url, TABLES, variable=VARIABLE, what=what, served=True, there=there)
        if self.database.engine.dialect.name == "sqlite":
            with self.database.reading() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # who reads does not wait for who writes

    def close(self) -> None:
        """Close all connections."""
        self.database.engine.dispose()

    @contextmanager
    def alone(self, model: str) -> Iterator[Writer]:
        """Who reads and writes the series of a model while no other does; all is kept, or nothing where it raises."""
        with self.database.writing() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{VARIABLE} {model}"))))
            yield Writer(connection, model)

    def every(self, model: str | None = None) -> list[Stream]:
        """The series of a model, or of all, the longest first."""
        asked = select(STREAMS).order_by((STREAMS.c.first - STREAMS.c.next), STREAMS.c.model, STREAMS.c.series)
        with self.database.reading() as connection:
            rows = connection.execute(asked if model is None else asked.where(STREAMS.c.model == model))
            return [Stream(**row._asdict()) for row in rows]

    def present(self, streams: Sequence[Stream]) -> dict[int, Stream]:
        """Streams as they are now, by their numbers, as far as they are still there."""
        asked = select(STREAMS).where(STREAMS.c.number.in_([one.number for one in streams]))
        with self.database.reading() as connection:
            return {row.number: Stream(**row._asdict()) for row in connection.execute(asked)}

    def between(self, streams: Sequence[Stream], begin: Sequence[int], end: Sequence[int]) -> list[dict[int, Said]]:
        """The steps of each stream from its `begin` to before its `end`, by their distance from `begin`."""
        told = {one.number: dict[int, Said]() for one in streams}
        ordered = sorted(zip(begin, end, told, strict=True))
        with self.database.reading() as connection:
            for (first, after), group in groupby(ordered, key=lambda one: one[:2]):
                within = STEPS.c.step >= first, STEPS.c.step < after, STEPS.c.stream.in_([one[2] for one in group])
                for stream, step, said in connection.execute(select(STEPS).where(*within)):
                    told[stream][step - first] = orjson.loads(said)
        return list(told.values())


def database() -> str | None:
    """The URL in FORECASTER_STREAMS, a file by its whole path; None where there is none.

    Raises DataError where it is none of PostgreSQL, nor of a file of SQLite; one in memory is another in each thread.
    """
    if not (told := os.environ.get(VARIABLE)):
        return None
    try:
        url = make_url(told)
    except (ArgumentError, ValueError):
        raise DataError(f"{VARIABLE} is no URL", remedy=SUCH_AS) from None
    if url.get_backend_name() == "postgresql":
        return told
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        raise DataError(f"{VARIABLE} names neither a file of SQLite nor a PostgreSQL", remedy=SUCH_AS)
    return str(url.set(database=str(Path(str(url.database)).absolute())))
