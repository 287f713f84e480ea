"""The steps of series that live on between requests, in a database that all workers and machines share.

They are the truth: what a worker remembers of a series is a fold over its first steps, and goes on with those that
came since, whoever wrote them. A step that is said again counts once. One that is said late, or otherwise than before,
raises the revision of its series, which is then read anew.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Column,
    Connection,
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

from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.database import Database
from pipelines.streams.steps import Said, steps
from pipelines.streams.stream import Stream, check, static

VARIABLE = "FORECASTER_STREAMS"
"""Environment variable with the URL of the database, such as sqlite:////var/lib/forecaster/streams.db."""
MANY = 10_000
"""Series that are asked for in one query."""

TABLES = MetaData()
STREAMS = Table(
    "forecaster_streams",
    TABLES,
    Column("number", Integer, primary_key=True),
    Column("model", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("frequency", Text, nullable=False),
    Column("zone", Text),
    Column("start", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("static", Text, nullable=False),
    UniqueConstraint("model", "series"),
    sqlite_autoincrement=True,  # the number of one that was forgotten is that of no other
)
STEPS = Table(
    "forecaster_stream_steps",
    TABLES,
    Column("stream", Integer, primary_key=True),
    Column("ds", BigInteger, primary_key=True),
    Column("said", Text, nullable=False),
)


T = TypeVar("T")


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
            elif connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"{VARIABLE} {model}"))))
            yield Writer(connection, model)

    def since(self, streams: Sequence[Stream], times: Sequence[int]) -> list[dict[int, Said]]:
        """What is said of each stream from a time of its own on, up to its `next` one, in order."""
        told = {one.number: dict[int, Said]() for one in streams}
        ends = {one.number: one.next for one in streams}
        ordered = sorted(zip(times, told, strict=True))
        with self.database.reading() as connection:
            for time, group in groupby(ordered, key=lambda one: one[0]):
                for part in _parts([number for _, number in group]):
                    chosen = select(STEPS).where(STEPS.c.stream.in_(part), STEPS.c.ds >= time).order_by(STEPS.c.ds)
                    for stream, ds, said in connection.execute(chosen):
                        if ds < ends[stream]:  # another request may have added more
                            told[stream][ds] = json.loads(said)
        return list(told.values())


@dataclass(frozen=True)
class Writer:
    """Reads and writes the series of one model, in a transaction."""

    connection: Connection
    model: str

    def find(self, ids: Sequence[str]) -> dict[str, Stream]:
        """Those of the series that there are, by their ids."""
        found = dict[str, Stream]()
        for part in _parts(ids):
            chosen = select(STREAMS).where(STREAMS.c.model == self.model, STREAMS.c.series.in_(part))
            found |= {row.series: Stream(**row._asdict()) for row in self.connection.execute(chosen)}
        return found

    def add(self, panel: Panel, there: Mapping[str, Stream]) -> list[Stream]:
        """Add the steps of a panel, some of whose series are there; all of them in its order, as they are then.

        What is said late, or otherwise than before, holds; a gap says nothing. Raises DataError where a series is on
        another clock than before, leaves out steps whose known covariates are needed, or so many that its time looks
        wrong.
        """
        check(panel, there)
        before = {**there, **self._begin(panel, [i for i, name in enumerate(panel.ids) if name not in there])}
        now, new, other = list[Stream](), list[dict[str, object]](), list[dict[str, object]]()
        for i, (told, end) in enumerate(zip(steps(panel), panel.ends().tolist(), strict=True)):
            stream = before[panel.ids[i]]
            known = self._between(stream, told)
            after = {ds: known.get(ds, {}) | said for ds, said in told.items()}
            changed = {ds: said for ds, said in after.items() if ds >= stream.next or said != known.get(ds, {})}
            for ds, said in changed.items():
                row = {"of": stream.number, "at": ds, "said": json.dumps(said)}
                (other if ds in known else new).append(row)
            now.append(stream.after(panel, i, end, again=any(ds < stream.next for ds in changed)))
        of_step: dict[str, BindParameter[Any]] = {"stream": bindparam("of"), "ds": bindparam("at")}
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
        for part in _parts([one.number for one in there.values()]):
            self.connection.execute(delete(STEPS).where(STEPS.c.stream.in_(part)))
            self.connection.execute(delete(STREAMS).where(STREAMS.c.number.in_(part)))
        return list(there)

    def _begin(self, panel: Panel, new: Sequence[int]) -> dict[str, Stream]:
        """The streams of series that there were none of, before their first step."""
        rows = [
            {
                "model": self.model,
                "series": panel.ids[i],
                "frequency": panel.frequency.name,
                "zone": panel.zone,
                "start": int(panel.start[i]),
                "next": int(panel.start[i]),
                "revision": 0,
                "static": static(panel, i),
            }
            for i in new
        ]
        if rows:
            self.connection.execute(insert(STREAMS), rows)
        return self.find([panel.ids[i] for i in new])

    def _between(self, stream: Stream, told: Mapping[int, Said]) -> dict[int, Said]:
        """What was said before of the times from the first to the last."""
        if not told or min(told) >= stream.next:
            return {}
        inside = (STEPS.c.stream == stream.number, STEPS.c.ds >= min(told), STEPS.c.ds <= max(told))
        chosen = select(STEPS.c.ds, STEPS.c.said).where(*inside)
        return {ds: json.loads(said) for ds, said in self.connection.execute(chosen)}


def database() -> str | None:
    """The URL in FORECASTER_STREAMS, a file by its whole path; None where there is none.

    Raises DataError where it names no file of a SQLite database: one in memory is another one in each thread.
    """
    if not (told := os.environ.get(VARIABLE)):
        return None
    if not told.startswith("sqlite"):
        return told
    url = make_url(told)
    if not url.database or url.database == ":memory:":
        raise DataError(f"{VARIABLE} names no file", remedy="such as sqlite:////var/lib/forecaster/streams.db")
    return str(url.set(database=str(Path(url.database).absolute())))


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many as one query may ask for."""
    return (items[begin : begin + MANY] for begin in range(0, len(items), MANY))
