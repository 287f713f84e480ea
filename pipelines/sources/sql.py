"""Tables of a database: read as a whole or by a query, in chunks of rows, and written in one transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from forecaster.errors import DataError
from pipelines.data.cutoff import Cutoff
from pipelines.sources.files import Columns
from pipelines.sources.source import Source

CHUNK = 100_000
"""Rows that are held as Python objects at a time."""


def read_sql(source: Source, columns: Columns, cutoff: Cutoff | None) -> pa.Table:
    """The wanted columns of the rows that are not later for sure. Raises DataError that names the source."""
    with connected(source) as connection:
        every = _selectable(source)
        with connection.execute(sa.select(sa.text("*")).select_from(every).limit(1)) as first:
            names, row = list(first.keys()), first.first()
        wanted = columns.of(names, str(source))
        asked: sa.Select[*tuple[Any, ...]] = sa.select(*map(sa.column, wanted)).select_from(every)
        if cutoff is not None and row is not None:
            kind = _chunk(["ds"], [(row[names.index("ds")],)])["ds"].type
            if (bounds := cutoff.bounds(kind)) is not None:
                low, high = bounds
                time: sa.ColumnClause[Any] = sa.column("ds")
                within = time <= high.as_py() if low is None else (time > low.as_py()) & (time <= high.as_py())
                asked = asked.where(within | time.is_(None))  # which the reader refuses
        with connection.execution_options(yield_per=CHUNK).execute(asked) as rows:
            parts = [_chunk(wanted, part) for part in rows.partitions()] or [pa.table({name: [] for name in wanted})]
        table = pa.concat_tables(parts, promote_options="permissive")
    return cutoff.roughly(table) if cutoff is not None else table


def replace_rows(frame: pd.DataFrame, target: Source, key: tuple[str, ...], within: str) -> int:
    """Write rows in place of those of the same `key`, in one transaction, into a table that is made if need be.

    `within` numbers the rows of a key. Times with a zone are kept in UTC. Returns the rows; raises DataError.
    """
    assert target.table is not None
    frame = frame.assign(**{name: _plain(frame[name]) for name in frame.columns})
    columns = [sa.Column(name, _kind(frame[name]), primary_key=name in (*key, within)) for name in frame.columns]
    schema, _, name = target.table.rpartition(".")
    table = sa.Table(name, sa.MetaData(), *columns, schema=schema or None)
    with connected(target) as connection, connection.begin():
        if connection.dialect.name == "postgresql":  # two that write at a time do so one after the other
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(target.table))))
        table.create(connection, checkfirst=True)
        there = {one["name"] for one in sa.inspect(connection).get_columns(name, schema=schema or None)}
        if lacking := [column for column in frame.columns if column not in there]:
            remedy = "write to another table, or add the columns to this one"
            raise DataError(f"{target}: the table has no column {', '.join(map(repr, lacking))}", remedy=remedy)
        keys = frame[list(key)].drop_duplicates().rename(columns="{}_".format)
        same = sa.and_(*(table.c[one] == sa.bindparam(f"{one}_") for one in key))
        connection.execute(table.delete().where(same), _records(keys))
        for begin in range(0, len(frame), CHUNK):
            connection.execute(table.insert(), _records(frame[begin : begin + CHUNK]))
    return len(frame)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _plain(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """As a database keeps it: times in UTC, None for what is missing."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC")
    return column.astype(object).where(column.notna(), None)


def _kind(column: "pd.Series[Any]") -> sa.types.TypeEngine[Any]:
    value = next((one for one in column if one is not None), None)
    if isinstance(value, datetime):
        return sa.DateTime(timezone=value.tzinfo is not None)
    if isinstance(value, int):
        return sa.BigInteger()
    return sa.Text() if isinstance(value, str) else sa.Double()


@contextmanager
def connected(source: Source) -> Iterator[sa.Connection]:
    """A connection; what goes wrong in it is a DataError that names the source and shows no password."""
    try:
        url = source.database()
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise DataError(f"{source}: {error}", remedy="install the driver: pip install 'forecaster[postgres]'") from None
    except pa.ArrowException as error:
        remedy = "give a query that casts the column, or mend its rows"
        raise DataError(f"{source}: {' '.join(str(error).split())}", remedy=remedy) from None
    except SQLAlchemyError as error:
        told = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DataError(
            f"{source}: {told}", remedy="check the url, the table or query, and what you may do there"
        ) from None


def _selectable(source: Source) -> sa.FromClause:
    if source.table is not None:
        schema, _, table = source.table.rpartition(".")
        return sa.table(table, schema=schema or None)
    query = (source.query or "").strip().rstrip(";").replace(":", r"\:")  # no parameter of ours
    return sa.text(f"{query}\n").columns().subquery("q")  # which may end with a comment


def _chunk(names: list[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    table = pa.table({name: pa.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:  # of the session: a database keeps moments, not zones
            table = table.set_column(place, field.name, table[place].cast(pa.timestamp("us", "UTC")))
    return table
