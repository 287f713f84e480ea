"""Sources to panels: files on this machine or by URL, and databases."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from forecaster.errors import DataError
from pipelines.data.cutoff import Cutoff
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.sources.files import Columns, read_files
from pipelines.sources.source import Source, source
from pipelines.sources.sql import read_sql


def read(
    data: Source | str | Path,
    *,
    frequency: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
    zone: str | None = None,
    duplicates: str = "error",
    whole: str | None = None,
    to_the_end: bool = False,
    as_of: str | None = None,
) -> Panel:
    """Read a table in the long form: see `panel_from_frame`, which tells what the columns and options mean.

    With `as_of` no row later than that is read (`pipelines.data.cutoff`), those of known covariates neither. Raises
    DataError that names the source, and where it can the series, the time and the remedy.
    """
    place = source(data)
    columns = Columns(tuple(static), (*known, *past, *([whole] if whole else [])))
    cutoff = Cutoff(as_of, zone) if as_of is not None else None
    table = read_table(place, columns, cutoff)
    if cutoff is not None and not table.num_rows:
        raise DataError(f"{place}: no row is as early as {as_of}", remedy="give a later as-of")
    return panel_from_frame(
        table,
        frequency=frequency,
        known=known,
        past=past,
        static=static,
        zone=zone,
        duplicates=duplicates,
        whole=whole,
        to_the_end=to_the_end,
    )


def read_table(place: Source, columns: Columns, cutoff: Cutoff | None) -> pa.Table:
    """The rows of a source as they are, up to the cutoff. Raises DataError that names it."""
    table = read_files(place.path, columns, cutoff) if place.path is not None else read_sql(place, columns, cutoff)
    return cutoff.exactly(table) if cutoff is not None and table.num_rows else table
