"""Incremental ingest: what is new in a source becomes one more Parquet partition of a store."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from forecaster.errors import DataError
from pipelines.arrow import is_text, plain
from pipelines.clock.frequency import Frequency
from pipelines.clock.stamps import localise, read_stamps
from pipelines.clock.zone import DAY
from pipelines.data.cutoff import Cutoff
from pipelines.data.table import read_series
from pipelines.sources.files import ALIKE, Columns, naming, partitions
from pipelines.sources.read import read_table
from pipelines.sources.source import Source, source
from pipelines.sources.storage import file_system, put


@dataclass(frozen=True)
class Ingested:
    """What an ingest has added."""

    file: str
    """The partition that it wrote."""
    rows: int
    again: int
    """Of these, rows that are not later than what the store had: late, corrected, or read once more."""
    appeared: int
    """Series that the store did not have."""
    vanished: int
    """Series of the store that have no row in the partition."""


def ingest(
    data: Source | str | Path, store: str | Path, as_of: str, *, late: str = "0", zone: str | None = None
) -> Ingested:
    """Add the rows of a source that are later than those of the store, up to `as_of`, and those up to `late` before.

    The store is a folder, here or by URL, with a file for each as-of, so that the same as-of again writes the same
    file. Read it with `duplicates="last"`: of two rows of a series and time the one of the later as-of counts. A file
    appears whole or not at all. Raises DataError that names the source or the partition, and, before anything is
    written, on a column that is gone or of another kind than in the store.
    """
    place = source(data)
    name = f"{_text(as_of, zone)}.parquet"
    before = Held.of(str(store), name)
    since = before.last - _span(late, before.steps) if before.last is not None else None
    cutoff = Cutoff(as_of, zone, since)
    table = read_table(place, Columns(every=True), cutoff)
    if table.num_rows:
        table = _timed(table, zone)
        before.check(table.schema, str(place))
        table = before.zoned(table)
    elif before.last is not None:
        table = before.schema.empty_table()
    else:
        raise DataError(f"{place}: no row is as early as {as_of}", remedy="give a later as-of")
    times = table["ds"].cast(pa.int64())
    new = np.full(len(table), True) if since is None else times.to_numpy() > since
    again = int((times.to_numpy()[new] <= before.last).sum()) if before.last is not None else 0
    table = table.filter(pa.array(new)).sort_by([("unique_id", "ascending"), ("ds", "ascending")])
    file = f"{str(store).rstrip('/')}/{name}"
    if "://" not in file:
        Path(file).expanduser().parent.mkdir(parents=True, exist_ok=True)
    with naming(file, "check that it may be written there, and that there is room"):
        put(file, lambda stream: pyarrow.parquet.write_table(table, stream, compression="zstd"))
    ids = set(table["unique_id"].unique().to_pylist())
    return Ingested(file, len(table), again, len(ids - before.ids), len(before.ids - ids))


@dataclass(frozen=True)
class Held:
    """What the partitions of a store before one hold."""

    schema: pa.Schema
    last: int | None
    """The latest ds: a step, or nanoseconds in UTC or on the wall clock."""
    ids: set[str]

    @property
    def steps(self) -> bool:
        """Whether ds counts steps."""
        return bool(pa.types.is_integer(self.schema.field("ds").type))

    @classmethod
    def of(cls, store: str, before: str) -> "Held":
        """Of the partitions named before one. Raises DataError that names one that is corrupted."""
        schemas, latest, ids = [], [], set[str]()
        with naming(store):
            system, folder = file_system(store)
            files = [one for one in partitions(system, folder) if one.rpartition("/")[2] < before]
        for file in files:
            with naming(file), system.open_input_file(file) as stream:
                opened = pyarrow.parquet.ParquetFile(stream)
                table = opened.read(["unique_id", "ds"])
                schemas.append(opened.schema_arrow)
                ids.update(table["unique_id"].unique().to_pylist())
                latest.append(pc.max(table["ds"].cast(pa.int64())).as_py())
        with naming(store, ALIKE):
            schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
        return cls(schema, max((one for one in latest if one is not None), default=None), ids)

    def check(self, schema: pa.Schema, place: str) -> None:
        """Raises DataError where a column of the store is gone from a source, or of another kind."""
        for field in self.schema:
            if field.name not in schema.names:
                remedy = "bring it back, or begin a new store without it"
                raise DataError(f"{place}: no column {field.name!r} any more; the store has it", remedy=remedy)
            was, now = kind(field.type), kind(schema.field(field.name).type)
            if was != now and "nothing" not in (was, now):
                remedy = f"give {was}, or begin a new store"
                raise DataError(f"{place}: {field.name} holds {now}, and in the store {was}", remedy=remedy)

    def zoned(self, table: pa.Table) -> pa.Table:
        """A table with its moments in the zone of the store: whoever exports it may have moved, or changed clocks."""
        if "ds" not in self.schema.names:
            return table
        return table.set_column(table.column_names.index("ds"), "ds", table["ds"].cast(self.schema.field("ds").type))


def kind(of: pa.DataType) -> str:
    """What a column holds, for people."""
    of = plain(of)
    if pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_decimal(of):
        return "numbers"
    if pa.types.is_timestamp(of):
        return "times with a zone" if of.tz else "times"
    if pa.types.is_null(of):
        return "nothing"
    return "text" if is_text(of) else str(of)


def _timed(table: pa.Table, zone: str | None) -> pa.Table:
    """With ids as text, and with stamps as moments or steps, whatever they were written as."""
    ids, series = read_series(table)

    def who(row: int) -> str:
        return str(ids[series[row]])

    times, clock, named = read_stamps(table["ds"], zone, who)
    if clock == "wall" and named:
        days = not (times % DAY).any()
        times = localise(times, series, named, Frequency.parse("D" if days else "h"), who)
    tz = named.removeprefix("UTC") or "UTC" if named else None
    ds = pa.array(times) if clock == "step" else pa.array(times).cast(pa.timestamp("ns", tz))
    others = {name: table[name] for name in table.column_names if name not in ("unique_id", "ds")}
    return pa.table({"unique_id": pa.array(ids[series], pa.string()), "ds": ds, **others})


def _text(as_of: str, zone: str | None) -> str:
    """An as-of as part of a file name that sorts by time."""
    bounds = Cutoff(as_of, zone).bounds(pa.int64() if re.fullmatch(r"[+-]?\d+", as_of) else pa.timestamp("s", "UTC"))
    assert bounds is not None
    last = bounds[1].cast(pa.int64()).as_py()
    if re.fullmatch(r"[+-]?\d+", as_of):
        return f"{last:016d}"
    return str(np.datetime64(last, "s")).replace(":", "")


def _span(late: str, steps: bool) -> int:
    """An overlap such as 2d or 36h in nanoseconds, or a number of steps."""
    pattern, wanted = (r"\d+", "a number of steps") if steps else (r"0|.*[a-zA-Z:].*", "a span such as 2d or 36h")
    try:
        span = int(late) if steps else pd.Timedelta(late).value
    except ValueError:
        span = -1
    if span < 0 or re.fullmatch(pattern, late) is None:
        raise DataError(f"late is {late!r}", remedy=f"give {wanted}")
    return int(span)
