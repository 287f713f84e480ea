"""The doors through which data enters a panel: tables in the long form, and series as lists."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa

from forecaster.errors import DataError
from pipelines.clock.frequency import Frequency
from pipelines.data.grid import offsets, regular
from pipelines.data.lists import read_categories, read_columns, read_ids, read_starts, read_target
from pipelines.data.panel import Panel
from pipelines.data.table import read_rows


def panel_from_frame(
    frame: pd.DataFrame | pa.Table,
    *,
    frequency: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
    zone: str | None = None,
    duplicates: str = "error",
    whole: str | None = None,
    to_the_end: bool = False,
) -> Panel:
    """A table in the long form, a row per series and time: unique_id, ds, y and the covariates, in any order.

    A column y of text, none of which is a number, holds labels: `values` are then their codes in `labels`.
    Without a frequency the stamps tell it, and integers that do not count steps are refused. Naive stamps are read on
    the wall clock of `zone`. Missing rows and empty y are gaps. Rows after the last y of all series are no part of
    them unless they are wanted `to_the_end`; those whose `known` covariates are filled in are their future. Several
    rows for one time are refused, or become their mean, sum, first or last.
    `whole` is a column to be told of whole series, of text or numbers, empty where it is not known. Raises DataError
    that names the series, the place and the remedy.
    """
    table = frame if isinstance(frame, pa.Table) else _table(frame)
    rows = read_rows(table, frequency, zone, known, past, static, whole)
    grid = regular(rows, duplicates, to_the_end=to_the_end or whole is not None)
    categories = [rows.static[name] for name in static]
    return Panel(
        ids=rows.ids,
        frequency=rows.frequency,
        zone=rows.zone,
        static=np.stack(categories, axis=1) if categories else np.empty((len(rows.ids), 0), dtype=object),
        known_names=tuple(known),
        past_names=tuple(past),
        static_names=tuple(static),
        labels=rows.labels,
        whole=rows.whole,
        **grid._asdict(),
    )


def panel_from_series(
    ids: Sequence[str],
    start: Sequence[str | int | datetime],
    target: Sequence[Sequence[float | str | None]],
    frequency: str,
    *,
    zone: str | None = None,
    known: Sequence[Mapping[str, Sequence[float]]] = (),
    past: Sequence[Mapping[str, Sequence[float | None]]] = (),
    static: Sequence[Mapping[str, str]] = (),
    known_names: Sequence[str] = (),
    past_names: Sequence[str] = (),
    static_names: Sequence[str] = (),
) -> Panel:
    """Series from lists of numbers or of labels, in their order; None is a gap.

    `start` is ISO 8601, or an integer for 'step'; with a `zone` naive ones are read on its wall clock. A series may
    have no values, of which only what is known ahead is told. Each series has exactly the covariates that are named:
    `known` as long as its target or longer, `past` of its length. Raises DataError that names the series, the place
    and the remedy.
    """
    names, grid = read_ids(ids), Frequency.parse(frequency)
    times, zone = read_starts(ids, start, grid, zone)
    values, lengths, labels = read_target(ids, target)
    ahead, reach = read_columns(ids, known, known_names, "known", lengths)
    beside, _ = read_columns(ids, past, past_names, "past", lengths)
    grid.check(times, reach, zone, ids, "start")
    return Panel(
        ids=names,
        values=values,
        indptr=offsets(lengths),
        start=times,
        frequency=grid,
        zone=zone,
        known=ahead,
        known_indptr=offsets(reach),
        past=beside,
        static=read_categories(ids, static, static_names),
        known_names=tuple(known_names),
        past_names=tuple(past_names),
        static_names=tuple(static_names),
        labels=labels,
    )


def _table(frame: pd.DataFrame) -> pa.Table:
    """A DataFrame for pyarrow; times that are Python objects go as text, for among them zones may differ."""
    if "ds" in frame and frame["ds"].dtype == object:
        frame = frame.assign(ds=[one.isoformat() if isinstance(one, date) else one for one in frame["ds"]])
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except pa.ArrowException as error:
        raise DataError(f"the table cannot be read: {error}", remedy="give each column one type") from error
