"""The panel: many series on one regular grid in one value array."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray
from numpy.typing import NDArray

from pipelines.clock.frequency import Frequency
from pipelines.data.answers import Answers
from pipelines.data.grid import crop, offsets, stretches
from pipelines.data.vocabulary import words


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

    @cached_property
    def fractions(self) -> Bool[ndarray, " total"]:
        """Which values are no whole numbers; a gap is none of them."""
        return np.asarray(self.values > np.floor(self.values))

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

    def where(self, row: int, indptr: Int64[ndarray, " series+1"] | None = None) -> tuple[str, str]:
        """The series that a value lies in, and its time; known covariates begin at an `indptr` of their own."""
        begins = self.indptr if indptr is None else indptr
        i = int(np.searchsorted(begins, row, side="right")) - 1
        time = self.frequency.advance(self.start[i : i + 1], np.array([row - begins[i]]), self.zone)
        return str(self.ids[i]), f"ds {self.frequency.text(int(time[0]), self.zone)}"

    def ends(self) -> Int64[ndarray, " series"]:
        """The time of the step after each series, where its forecast starts."""
        return self.frequency.advance(self.start, self.lengths, self.zone)

    def cut(self, lengths: Int64[ndarray, " series"]) -> "Panel":
        """Only the first `lengths[i]` values of each series; what is known ahead reaches as far as before."""
        values, past = (crop(cells, self.indptr, lengths) for cells in (self.values, self.past))
        return replace(self, values=values, past=past, indptr=offsets(lengths))

    def last(self, steps: int) -> "Panel":
        """Only the last `steps` values of each series, as if it had begun with them."""
        lengths = np.minimum(self.lengths, steps)
        gone = self.lengths - lengths
        reach = np.diff(self.known_indptr) - gone
        kept, ahead = stretches(self.indptr[:-1] + gone, lengths), stretches(self.known_indptr[:-1] + gone, reach)
        return replace(
            self,
            start=self.frequency.advance(self.start, gone, self.zone),
            values=self.values[kept],
            past=self.past[kept],
            indptr=offsets(lengths),
            known=self.known[ahead],
            known_indptr=offsets(reach),
        )

    def having(self, such: Bool[ndarray, " total"]) -> Bool[ndarray, " series"]:
        """Whether each series has a step that is such a one."""
        before = offsets(such.astype(np.int64))
        return np.asarray(before[self.indptr[1:]] > before[self.indptr[:-1]])

    def observed(self, lengths: Int64[ndarray, " series"]) -> Int64[ndarray, " series"]:
        """The place of the last value that is known among the first `lengths[i]` of each series, 0 where none is."""
        series = np.arange(len(self)).repeat(self.lengths)
        place = 1 + np.arange(len(series)) - self.indptr[series]
        last = np.zeros(len(self), dtype=np.int64)
        np.maximum.at(last, series, np.where(np.isnan(self.values) | (place > lengths[series]), 0, place))
        return last

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
