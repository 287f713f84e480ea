"""Tables and queries of a database to tables, in chunks of rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from forecaster.errors import DataError
from pipelines.cutoff import Cutoff
from pipelines.files import Columns
from pipelines.source import Source

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
            if (bound := cutoff.bound(kind)) is not None:
                asked = asked.where(sa.column("ds") <= bound.as_py())
        with connection.execution_options(yield_per=CHUNK).execute(asked) as rows:
            parts = [_chunk(wanted, part) for part in rows.partitions()] or [pa.table({name: [] for name in wanted})]
        table = pa.concat_tables(parts, promote_options="permissive")
    return cutoff.roughly(table) if cutoff is not None else table


@contextmanager
def connected(source: Source) -> Iterator[sa.Connection]:
    """A connection for reading; what goes wrong in it is a DataError that names the source and shows no password."""
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
    except SQLAlchemyError as error:
        told = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise DataError(f"{source}: {told}", remedy="check the url, the table or query, and what it may read") from None


def _selectable(source: Source) -> sa.FromClause:
    if source.table is not None:
        schema, _, table = source.table.rpartition(".")
        return sa.table(table, schema=schema or None)
    return sa.text((source.query or "").strip().rstrip(";")).columns().subquery("q")


def _chunk(names: list[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    table = pa.table({name: pa.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz:  # of the session: a database keeps moments, not zones
            table = table.set_column(place, field.name, table[place].cast(pa.timestamp("us", "UTC")))
    return table
