"""Rows in any order to regular grids: each value at its step, NaN where a row is missing."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from forecaster.errors import DataError
from pipelines.data.table import SINGLE, Rows

DUPLICATES = ("error", "mean", "sum", "first", "last")
"""What to make of several rows for one time."""

_BLOCK = 2**20  # rows that are placed at a time, which bounds the memory of the steps between
_CELLS = 2**27  # cells of a sparse grid, one GiB, above which ...
_SPARSE = 20  # ... this many cells a row are taken for a mistake in the time stamps


class Grid(NamedTuple):
    """The values of all series one after another, and their known covariates, which may reach further."""

    start: Int64[ndarray, " series"]
    values: Float64[ndarray, " total"]
    indptr: Int64[ndarray, " series+1"]
    known: Float64[ndarray, "reach known"]
    known_indptr: Int64[ndarray, " series+1"]
    past: Float64[ndarray, "total past"]


def regular(rows: Rows, duplicates: str = "error", *, to_the_end: bool = False) -> Grid:
    """Place rows on the grid of their frequency.

    Where known covariates are declared, a series ends with its last observed y and they run on from there; a
    series that has none ends where the last other one does. Else rows after the last observed y of all series wait for
    a forecast and are left out, unless they are wanted `to_the_end`. Raises DataError on times off the grid, on
    duplicates, and where a known covariate is missing.
    """
    if duplicates not in DUPLICATES:
        raise DataError(f"duplicates {duplicates!r}", remedy=f"use one of {', '.join(DUPLICATES)}")
    start, place, indptr = _place(rows)
    doubled = _doubled(rows, start, place, indptr, duplicates)
    if doubled and rows.labels and duplicates in ("mean", "sum"):
        raise DataError(f"labels have no {duplicates}", place="y", remedy="pass --duplicates first or last")

    def fill(column: Float64[ndarray, " rows"], rule: str) -> Float64[ndarray, " total"]:
        cells = np.full(indptr[-1], np.nan)
        if doubled and rule in ("mean", "sum"):
            seen = ~np.isnan(column)
            sums = np.bincount(place[seen], column[seen], len(cells))
            counts = np.bincount(place[seen], minlength=len(cells))
            np.divide(sums, counts if rule == "mean" else 1, out=cells, where=counts > 0)
        elif doubled and rule == "first":
            cells[place[::-1]] = column[::-1]
        else:
            cells[place] = column
        return cells

    def stack(columns: dict[str, Float64[ndarray, " rows"]]) -> Float64[ndarray, "total columns"]:
        rule = "mean" if duplicates == "sum" else duplicates  # a price is not a sum
        cells = np.empty((indptr[-1], len(columns)))
        for number, column in enumerate(columns.values()):
            cells[:, number] = fill(column, rule)
        return cells

    values, known, past = fill(rows.y, duplicates), stack(rows.known), stack(rows.past)
    if rows.known:
        length, reach = _ends(rows, start, indptr, values, known)
    else:
        length = reach = np.diff(indptr) if to_the_end else _present(rows, start, indptr, values)
    values, past = (crop(cells, indptr, length) for cells in (values, past))
    known = crop(known, indptr, reach)
    _check_known(rows, start, offsets(reach), known)
    return Grid(start, values, offsets(length), known, offsets(reach), past)


def offsets(lengths: Int64[ndarray, " series"]) -> Int64[ndarray, " series+1"]:
    """Where each of consecutive stretches begins, and where the last one ends."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])


def stretches(begin: Int64[ndarray, " series"], lengths: Int64[ndarray, " series"]) -> Int64[ndarray, " total"]:
    """The positions `begin`, `begin + 1` ... of `lengths` entries for each series, one after another."""
    after = offsets(lengths)
    return np.asarray(np.arange(after[-1]) + np.repeat(begin - after[:-1], lengths))


def crop(cells: ndarray, indptr: ndarray, lengths: ndarray) -> ndarray:
    """Only the first `lengths` cells of each series."""
    whole = len(cells) == lengths.sum()
    return cells if whole else np.asarray(cells[stretches(indptr[:-1], lengths)])


def _place(rows: Rows) -> tuple[ndarray, ndarray, ndarray]:
    """The start of each series, the cell of each row, and where the cells of each series begin."""
    blocks = [slice(begin, begin + _BLOCK) for begin in range(0, len(rows.times), _BLOCK)]
    start = np.full(len(rows.ids), np.iinfo(np.int64).max)
    for block in blocks:
        np.minimum.at(start, rows.series[block].astype(np.intp), rows.times[block])
    place = np.empty(len(rows.times), dtype=np.int64)
    lengths = np.zeros(len(rows.ids), dtype=np.int64)
    for block in blocks:
        series = rows.series[block].astype(np.intp)
        steps, on_grid = rows.frequency.locate(rows.times[block], start, rows.zone, series)
        if not on_grid.all():
            row = int(on_grid.argmin())
            first = rows.frequency.text(int(start[series[row]]), rows.zone)
            raise DataError(
                f"off the grid of {rows.frequency.name!r} that begins at {first}",
                series=str(rows.ids[series[row]]),
                place=f"ds {rows.frequency.text(int(rows.times[block][row]), rows.zone)}",
                remedy="correct the time, or give another frequency",
            )
        place[block] = steps
        np.maximum.at(lengths, series, steps + 1)
    indptr = offsets(lengths)
    if indptr[-1] > max(_CELLS, _SPARSE * len(place)):
        longest = int(lengths.argmax())
        raise DataError(
            f"{lengths[longest]} steps of {rows.frequency.name!r} lie between its first and its last time",
            series=str(rows.ids[longest]),
            remedy="correct its times, or give a coarser frequency",
        )
    for block in blocks:
        place[block] += indptr[rows.series[block]]
    # A day that has two midnights may be written as either: the grid begins at the first.
    return rows.frequency.advance(start, np.zeros_like(start), rows.zone), place, indptr


def _doubled(rows: Rows, start: ndarray, place: ndarray, indptr: ndarray, duplicates: str) -> bool:
    """Whether several rows share a cell; DataError if that is not allowed."""
    taken = np.zeros(indptr[-1], dtype=bool)
    taken[place] = True
    if np.count_nonzero(taken) == len(place):
        return False
    if duplicates == "error":
        counts = np.bincount(place)
        cells = np.flatnonzero(counts > 1)
        series, when = _cell(rows, start, indptr, int(cells[0]))
        more = f" (and {len(cells) - 1} more such times)" if len(cells) > 1 else ""
        message = f"{counts[cells[0]]} rows for one time{more}"
        naive = rows.zone is None and rows.frequency.is_fixed
        remedy = "remove all but one, or pass --duplicates mean"
        remedy += ", or name the time zone if clocks were set back" if naive else ""
        remedy += ", or name the series of each row in a column unique_id" if series == SINGLE else ""
        raise DataError(message, series=series, place=when, remedy=remedy)
    return True


def _ends(rows: Rows, start: ndarray, indptr: ndarray, values: ndarray, known: ndarray) -> tuple[ndarray, ndarray]:
    """The length of each series, up to its last observed y, and the length of its known covariates."""
    cell = np.arange(len(values))
    observed = ~np.isnan(values)
    length = np.maximum.reduceat(np.where(observed, cell, -1), indptr[:-1]) + 1 - indptr[:-1]
    blank = length <= 0
    if blank.any() and not blank.all():
        last = rows.frequency.advance(start[~blank], length[~blank] - 1, rows.zone).max(keepdims=True)
        steps, _ = rows.frequency.locate(last, start[blank], rows.zone)
        length[blank] = np.clip(steps + 1, 1, np.diff(indptr)[blank])
    elif blank.all():
        length = np.diff(indptr)
    given = observed | ~np.isnan(known).all(axis=1)
    reach = np.maximum.reduceat(np.where(given, cell, -1), indptr[:-1]) + 1 - indptr[:-1]
    return length, np.maximum(length, reach)


def _present(rows: Rows, start: ndarray, indptr: ndarray, values: ndarray) -> ndarray:
    """The length of each series up to the last observed y of all."""
    length = np.diff(indptr)
    observed = ~np.isnan(rows.y)
    if not np.isnan(values[indptr[1:] - 1]).any() or not observed.any():
        return length
    last = rows.times[observed].max()
    steps, _ = rows.frequency.locate(np.full(len(start), last), start, rows.zone)
    return np.clip(steps + 1, 1, length)


def _check_known(rows: Rows, start: ndarray, indptr: ndarray, known: ndarray) -> None:
    missing = np.isnan(known)
    if missing.any():
        cell, column = (int(x[0]) for x in np.nonzero(missing))
        series, when = _cell(rows, start, indptr, cell)
        name = list(rows.known)[column]
        remedy = "fill it in, or declare it with --past"
        if rows.zone is None and rows.frequency.is_fixed:
            remedy += ", or name the time zone if clocks were set forward"
        raise DataError(f"the known covariate {name!r} is missing", series=series, place=when, remedy=remedy)


def _cell(rows: Rows, start: ndarray, indptr: ndarray, cell: int) -> tuple[str, str]:
    series = int(np.searchsorted(indptr, cell, side="right")) - 1
    time = rows.frequency.advance(start[series : series + 1], np.array([cell - indptr[series]]), rows.zone)
    return str(rows.ids[series]), f"ds {rows.frequency.text(int(time[0]), rows.zone)}"
