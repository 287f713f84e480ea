"""The panel: many series on one regular grid in one value array, and the doors through which data enters."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.answers import Answers
from pipelines.frequency import Frequency
from pipelines.grid import crop, offsets, regular, stretches
from pipelines.lists import read_categories, read_columns, read_ids, read_starts, read_target
from pipelines.table import read_rows
from pipelines.vocabulary import words


@dataclass(frozen=True, eq=False)
class Panel:
    """Series of one frequency, one after another: series i is `values[indptr[i] : indptr[i + 1]]`.

    Checked where it is read (`panel_from_frame`, `panel_from_series`), trusted from there on. `start` is the
    time of the first step: nanoseconds in UTC, on the wall clock where there is no zone, or an integer step.
    `values` and `past` are NaN in gaps; `known` is finite, begins with its series and may reach beyond it.
    """

    ids: NDArray[np.object_]  # [series] text, each once
    values: Float64[ndarray, " total"]
    indptr: Int64[ndarray, " series+1"]
    start: Int64[ndarray, " series"]
    frequency: Frequency
    zone: str | None
    known: Float64[ndarray, "reach known"]
    known_indptr: Int64[ndarray, " series+1"]
    past: Float64[ndarray, "total past"]
    static: NDArray[np.object_]  # [series, static] text
    known_names: tuple[str, ...] = ()
    past_names: tuple[str, ...] = ()
    static_names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """What the values are codes of, counted from 0; empty where they are numbers."""
    whole: Answers | None = None
    """What is to be told of each series, if it is not what comes next."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> Int64[ndarray, " series"]:
        """How many steps each series has, gaps included."""
        return np.diff(self.indptr)

    @property
    def total(self) -> int:
        """How many steps all series have together."""
        return len(self.values)

    @property
    def vocabulary(self) -> tuple[str, ...]:
        """The labels of what is to be told: of the series, or of their next steps."""
        return self.labels if self.whole is None else self.whole.labels

    def series(self, i: int) -> Float64[ndarray, " length"]:
        """The values of series `i`, a view."""
        return np.asarray(self.values[self.indptr[i] : self.indptr[i + 1]])

    def times(self, i: int) -> pd.DatetimeIndex | Int64[ndarray, " length"]:
        """The times of series `i`, in the zone where it is known; integers for 'step'."""
        clock = self.frequency.advance(self.start[i : i + 1], np.arange(self.lengths[i]), self.zone)
        return self.frequency.stamps(clock, self.zone)

    def ends(self) -> Int64[ndarray, " series"]:
        """The time of the step after each series, where its forecast starts."""
        return self.frequency.advance(self.start, self.lengths, self.zone)

    def cut(self, lengths: Int64[ndarray, " series"]) -> "Panel":
        """Only the first `lengths[i]` values of each series; what is known ahead reaches as far as before."""
        values, past = (crop(cells, self.indptr, lengths) for cells in (self.values, self.past))
        return replace(self, values=values, past=past, indptr=offsets(lengths))

    def select(self, indices: NDArray[np.integer] | Sequence[int]) -> "Panel":
        """The series at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        lengths, reach = self.lengths[chosen], np.diff(self.known_indptr)[chosen]
        kept, ahead = stretches(self.indptr[chosen], lengths), stretches(self.known_indptr[chosen], reach)
        return replace(
            self,
            ids=self.ids[chosen],
            values=self.values[kept],
            indptr=offsets(lengths),
            start=self.start[chosen],
            known=self.known[ahead],
            known_indptr=offsets(reach),
            past=self.past[kept],
            static=self.static[chosen],
            whole=self.whole.select(chosen) if self.whole is not None else None,
        )

    def frame(self) -> pd.DataFrame:
        """The long form: unique_id, ds, y and the covariates; y is NaN in gaps and in the future."""
        reach = np.maximum(self.lengths, np.diff(self.known_indptr)) if self.known_names else self.lengths
        indptr = offsets(reach)
        series = np.repeat(np.arange(len(self)), reach)
        steps = np.arange(indptr[-1]) - indptr[series]
        clock = self.frequency.advance(self.start[series], steps, self.zone)
        numbers = np.full((indptr[-1], 1 + len(self.known_names) + len(self.past_names)), np.nan)
        split, lived = 1 + len(self.known_names), stretches(indptr[:-1], self.lengths)
        numbers[lived, 0], numbers[lived, split:] = self.values, self.past
        if self.known_names:
            numbers[stretches(indptr[:-1], np.diff(self.known_indptr)), 1:split] = self.known
        frame = pd.DataFrame(numbers, columns=["y", *self.known_names, *self.past_names], copy=False)
        if self.labels:
            frame["y"] = words(numbers[:, 0], self.labels)
        frame.insert(0, "unique_id", self.ids[series])
        frame.insert(1, "ds", self.frequency.stamps(clock, self.zone))
        for column, name in enumerate(self.static_names):
            frame[name] = self.static[series, column]
        return frame

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything in the panel."""
        names = [self.known_names, self.past_names, self.static_names]
        head = [self.frequency.name, self.zone, names, self.labels, self.ids.tolist(), self.static.tolist()]
        digest = hashlib.sha256(json.dumps(head).encode())
        if self.whole is not None:
            digest.update(json.dumps([self.whole.name, self.whole.labels, self.whole.values.tolist()]).encode())
        for integers in (self.indptr, self.start, self.known_indptr):
            digest.update(np.ascontiguousarray(integers).data)
        for numbers in (self.values, self.known, self.past):
            digest.update(np.where(np.isnan(numbers), np.nan, numbers).data)  # there are many NaN, they are one
        return digest.hexdigest()

    @property
    def profile(self) -> dict[str, Any]:
        """What one asks first about the data: how much, how many gaps, from when until when."""
        gaps = int(np.count_nonzero(np.isnan(self.values)))
        first, last = self.start.min(), self.frequency.advance(self.start, self.lengths - 1, self.zone).max()
        return {
            "series": len(self),
            "observations": self.total - gaps,
            "gaps": gaps,
            "shortest": int(self.lengths.min()),
            "longest": int(self.lengths.max()),
            "frequency": self.frequency.name,
            "zone": self.zone,
            "start": self.frequency.text(int(first), self.zone),
            "end": self.frequency.text(int(last), self.zone),
            "known": list(self.known_names),
            "past": list(self.past_names),
            "static": list(self.static_names),
            "labels": list(self.labels),
        }


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
) -> Panel:
    """A table in the long form, a row per series and time: unique_id, ds, y and the covariates, in any order.

    A column y of text, none of which is a number, holds labels: `values` are then their codes in `labels`.
    Without a frequency the stamps tell it, and integers that do not count steps are refused. Naive stamps are read on
    the wall clock of `zone`. Missing rows and empty y are gaps. Rows after the last y whose `known` covariates are
    filled in are the future of the series. Several rows for one time are refused, or become their mean, sum, first or
    last.
    `whole` is a column to be told of whole series, of text or numbers, empty where it is not known. Raises DataError
    that names the series, the place and the remedy.
    """
    table = frame if isinstance(frame, pa.Table) else _table(frame)
    rows = read_rows(table, frequency, zone, known, past, static, whole)
    grid = regular(rows, duplicates)
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

    `start` is ISO 8601, or an integer for 'step'; with a `zone` naive ones are read on its wall clock. Each
    series has exactly the covariates that are named: `known` as long as its target or longer, `past` of its
    length. Raises DataError that names the series, the place and the remedy.
    """
    names, grid = read_ids(ids), Frequency.parse(frequency)
    times, zone = read_starts(ids, start, grid, zone)
    values, lengths, labels = read_target(ids, target)
    if not lengths.all():
        raise DataError("no values", series=ids[int(lengths.argmin())], place="target", remedy="give at least one")
    ahead, reach = read_columns(ids, known, known_names, "known", lengths)
    beside, _ = read_columns(ids, past, past_names, "past", lengths)
    grid.advance(times, reach, zone)  # raises where a series leaves the calendar
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
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"the table cannot be read: {error}", remedy="give each column one type") from error
