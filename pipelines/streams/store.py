"""The steps of series that live on between requests, in a database that all workers and machines share.

They are the truth: what a worker remembers of a series is a fold over its first steps, and goes on with those that
came since, whoever wrote them. A step that is said again counts once. One that is said late, or otherwise than before,
raises the revision of its series, which is then read anew.
"""

import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError

from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.database import Database
from pipelines.streams.steps import Said, steps
from pipelines.streams.stream import Stream

VARIABLE = "FORECASTER_STREAMS"
"""Environment variable with the URL of the database."""
SUCH_AS = "such as sqlite:////var/lib/forecaster/streams.db or postgresql+psycopg://user:password@host/database"

TABLES = MetaData()
STREAMS = Table(
    "forecaster_streams",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("zone", Text),
    Column("kind", Text, nullable=False),
    Column("origin", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("heard", Float, nullable=False),
    UniqueConstraint("model", "series"),
)
STEPS = Table(
    "forecaster_stream_steps",
    TABLES,
    Column("stream", Integer, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("said", Text, nullable=False),
)


class Streams:
    """The series of all models, by their names and ids. Raises what `Database` does."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, TABLES, variable=VARIABLE, what="the database of streams", served=True)
        if self.database.engine.dialect.name == "sqlite":
            with self.database.reading() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")  # who reads does not wait for who writes

    def close(self) -> None:
        """Close all connections."""
        self.database.engine.dispose()

    @contextmanager
    def alone(self, model: str) -> Iterator["Writer"]:
        """Who reads and writes the series of a model while no other does; all is kept, or nothing where it raises."""
        with self.database.writing() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{VARIABLE} {model}"))))
            yield Writer(connection, model)

    def present(self, streams: Sequence[Stream]) -> dict[int, Stream]:
        """Streams as they are now, by their numbers, as far as they are still there."""
        asked = select(STREAMS).where(STREAMS.c.number.in_([one.number for one in streams]))
        with self.database.reading() as connection:
            return {row.number: Stream(**row._asdict()) for row in connection.execute(asked)}

    def between(self, streams: Sequence[Stream], begin: Sequence[int], end: Sequence[int]) -> list[dict[int, Said]]:
        """What is said of each stream from a step of its own on and before another, by how far it is from the first."""
        told = {one.number: dict[int, Said]() for one in streams}
        ordered = sorted(zip(begin, end, told, strict=True))
        with self.database.reading() as connection:
            for (first, after), group in groupby(ordered, key=lambda one: one[:2]):
                within = STEPS.c.step >= first, STEPS.c.step < after, STEPS.c.stream.in_([one[2] for one in group])
                for stream, step, said in connection.execute(select(STEPS).where(*within)):
                    told[stream][step - first] = json.loads(said)
        return list(told.values())


@dataclass(frozen=True)
class Writer:
    """Reads and writes the series of one model, in a transaction."""

    connection: Connection
    model: str

    def find(self, ids: Sequence[str]) -> dict[str, Stream]:
        """Those of the series that there are, by their ids."""
        chosen = select(STREAMS).where(STREAMS.c.model == self.model, STREAMS.c.series.in_(ids))
        return {row.series: Stream(**row._asdict()) for row in self.connection.execute(chosen)}

    def add(self, panel: Panel, kind: str, first: Sequence[int], there: Mapping[str, Stream]) -> list[Stream]:
        """Add the steps of a panel, whose series begin at the `first` steps of those that are there.

        All of its series in their order, as they are then. What is said late, or otherwise than before, holds; a gap
        says nothing.
        """
        now, new, other = list[Stream](), list[dict[str, object]](), list[dict[str, object]]()
        before = {**there, **self._begin(panel, kind, [i for i, name in enumerate(panel.ids) if name not in there])}
        for name, begin, told in zip(panel.ids, first, steps(panel), strict=True):
            stream, end = before[name], begin + len(told)
            known = self._known(stream, begin, end)
            after = {step: known.get(step, {}) | said for step, said in enumerate(told, start=begin)}
            changed = {one: said for one, said in after.items() if one >= stream.next or said != known.get(one, {})}
            for step, said in changed.items():
                row = {"of": stream.number, "at": step, "said": json.dumps(said)}
                (other if step in known else new).append(row)
            again = any(step < stream.next for step in changed)
            now.append(stream.after(begin, end, time.time(), again=again) if told else stream)
        of_step: dict[str, BindParameter[Any]] = {"stream": bindparam("of"), "step": bindparam("at")}
        if new:
            self.connection.execute(insert(STEPS).values(of_step | {"said": bindparam("said")}), new)
        if other:
            same = [STEPS.c[name] == value for name, value in of_step.items()]
            self.connection.execute(update(STEPS).where(*same).values(said=bindparam("said")), other)
        if moved := [asdict(one) | {"of": one.number} for one in now if one != before[one.series]]:
            self.connection.execute(update(STREAMS).where(STREAMS.c.number == bindparam("of")), moved)
        return now

    def forget(self, ids: Sequence[str]) -> list[str]:
        """Forget series; returns those that there were."""
        there = self.find(ids)
        numbers = [one.number for one in there.values()]
        self.connection.execute(delete(STEPS).where(STEPS.c.stream.in_(numbers)))
        self.connection.execute(delete(STREAMS).where(STREAMS.c.number.in_(numbers)))
        return list(there)

    def _begin(self, panel: Panel, kind: str, new: Sequence[int]) -> dict[str, Stream]:
        """The streams of series that there were none of, before their first step."""
        rows = [
            {
                "model": self.model,
                "series": panel.ids[i],
                "frequency": panel.frequency.name,
                "zone": panel.zone,
                "kind": kind,
                "origin": int(panel.start[i]),
                "first": 0,
                "next": 0,
                "revision": secrets.randbelow(2**53),
                "heard": time.time(),
            }
            for i in new
        ]
        if rows:
            self.connection.execute(insert(STREAMS), rows)
        return self.find([panel.ids[i] for i in new])

    def _known(self, stream: Stream, begin: int, end: int) -> dict[int, Said]:
        """What was said before of the steps from one to before another."""
        if begin >= stream.next or end <= stream.first:
            return {}
        within = (STEPS.c.stream == stream.number, STEPS.c.step >= begin, STEPS.c.step < end)
        chosen = select(STEPS.c.step, STEPS.c.said).where(*within)
        return {step: json.loads(said) for step, said in self.connection.execute(chosen)}


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
