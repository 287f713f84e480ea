"""What in a panel looks like a mistake, in sentences: it is read as it stands."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from forecaster.manifest import ROUNDING
from pipelines.data.grid import offsets
from pipelines.data.panel import Panel

ENOUGH = 10
"""Values that tell how far apart they come, and how far from their median."""
FAR = 20
"""How many times as far from the median as the others a value is that is told of."""
GAP = 10
"""How many times as long as all values of its series, and as any other gap, a gap is that is told of."""
FEW = 100
"""One value in so many can be far from all others."""


def oddities(panel: Panel) -> Iterator[str]:
    """A sentence on values that come far apart, one on a gap beyond belief, and one on values far from all others."""
    yield from _scattered(panel)
    yield from _interrupted(panel)
    if not panel.labels:
        yield from _outlying(panel)


def _scattered(panel: Panel) -> Iterator[str]:
    """A sentence on series of which most values come at one distance of more than two steps: months among days."""
    observed = ~np.isnan(panel.values)
    count = np.diff(offsets(observed)[panel.indptr])
    where = np.flatnonzero(observed & np.repeat((count >= ENOUGH) & (2 * count < panel.lengths), panel.lengths))
    gaps = _gaps(panel, where)
    usual = gaps.ordered[gaps.begin + gaps.many // 2]  # the median
    near = np.abs(gaps.length - np.repeat(usual, gaps.many)) <= np.repeat(usual, gaps.many) / 8
    found = np.flatnonzero((usual > 2) & (np.diff(offsets(near)[[*gaps.begin, len(near)]]) > 0.7 * gaps.many))
    if found.size:
        name, every = str(panel.ids[gaps.series[found[0]]]), usual[found[0]]
        yield (
            f"in {len(found)} of {len(panel)} series values come far apart, as in {name!r} every {every} steps of"
            f" {panel.frequency.name!r}; what lies between is read as missing"
        )


def _interrupted(panel: Panel) -> Iterator[str]:
    """A sentence on series with one gap that is much longer than all else in them: a year that is wrong."""
    gaps = _gaps(panel, np.flatnonzero(~np.isnan(panel.values)))
    last, values = gaps.begin + gaps.many - 1, gaps.many + 1
    longest, other = gaps.ordered[last], gaps.ordered[np.maximum(last - 1, 0)]
    found = np.flatnonzero((values >= ENOUGH) & (longest > GAP * values) & (longest > GAP * other))  # not sold seldom
    if found.size:
        one = found[0]
        longer = gaps.begin[one] + gaps.length[gaps.begin[one] : last[one] + 1].argmax()
        series, place = panel.where(int(gaps.after[longer]))
        others = f", and so in {len(found) - 1} more series" if len(found) > 1 else ""
        yield (
            f"series {series!r}, {place}: nothing in the {longest[one] - 1} steps of {panel.frequency.name!r} before"
            f" it, over {GAP} times as many as it has values{others}; correct the time where that is a mistake"
        )


class _Gaps(NamedTuple):
    """How far apart values come in each series that has two."""

    length: Int64[ndarray, "gaps"]
    """In steps; the gaps of a series follow one another."""
    after: Int64[ndarray, "gaps"]
    """The row of the value that ends each."""
    series: Int64[ndarray, "some"]
    begin: Int64[ndarray, "some"]
    """The first gap of each series, ..."""
    many: Int64[ndarray, "some"]
    """... and how many it has."""
    ordered: Int64[ndarray, "gaps"]
    """The lengths of each series, ascending."""


def _gaps(panel: Panel, rows: Int64[ndarray, "values"]) -> _Gaps:
    of = np.searchsorted(panel.indptr, rows, side="right") - 1
    within = np.diff(of) == 0
    length, of = np.diff(rows)[within], of[1:][within]
    series, begin, count = np.unique(of, return_index=True, return_counts=True)
    return _Gaps(length, rows[1:][within], series, begin, count, length[np.lexsort((length, of))])


def _outlying(panel: Panel) -> Iterator[str]:
    """A sentence on the few values that lie far beyond all others of their series: 9,999 where nobody measured."""
    far = np.concatenate([_far(panel.series(i)) for i in range(len(panel))])
    if far.any():
        series, place = panel.where(row := int(far.argmax()))
        yield (
            f"series {series!r}, {place}: the value {panel.values[row]:g} is over {FAR} times as far from the median as"
            f" the others, like {int(far.sum())} in {int(panel.having(far).sum())} series; leave y empty where that is"
            " a mistake"
        )


def _far(values: Float64[ndarray, "length"]) -> Bool[ndarray, "length"]:
    """Which values, one in `FEW` at most, are `FAR` times as far from the median as any other."""
    known = values[~np.isnan(values)]
    if len(known) < ENOUGH:
        return np.zeros(len(values), dtype=bool)
    median, others = np.median(known), len(known) - max(1, len(known) // FEW)
    usual = np.partition(np.abs(known - median), others - 1)[others - 1]
    if usual <= ROUNDING * abs(median):  # the others are equal, and tell by their size; zeros, as of rare sales, do not
        usual = abs(median)
    return np.asarray((usual > 0) & (np.abs(values - median) > FAR * usual))
