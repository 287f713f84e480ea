"""What in a panel looks like a mistake, in sentences: it is read as it stands."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64
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
    of = np.searchsorted(panel.indptr, where, side="right") - 1
    within = np.diff(of) == 0
    gap, of = np.diff(where)[within], of[1:][within]
    some, begins, gaps = np.unique(of, return_index=True, return_counts=True)
    usual = gap[np.lexsort((gap, of))][begins + gaps // 2]  # the median
    near = np.abs(gap - np.repeat(usual, gaps)) <= np.repeat(usual, gaps) / 8
    found = np.flatnonzero((usual > 2) & (np.diff(offsets(near)[[*begins, len(near)]]) > 0.7 * gaps))
    if found.size:
        name, every = str(panel.ids[some[found[0]]]), usual[found[0]]
        yield (
            f"in {len(found)} of {len(panel)} series values come far apart, as in {name!r} every {every} steps of"
            f" {panel.frequency.name!r}; what lies between is read as missing"
        )


def _interrupted(panel: Panel) -> Iterator[str]:
    """A sentence on series with one gap that is much longer than all else in them: a year that is wrong."""
    known = np.flatnonzero(~np.isnan(panel.values))
    of = np.searchsorted(panel.indptr, known, side="right") - 1
    gap, within = np.diff(known), np.diff(of) == 0
    count = np.bincount(of, minlength=len(panel))[of[1:]]
    found = [
        row
        for row in np.flatnonzero(within & (count >= ENOUGH) & (gap > GAP * count))
        if gap[row] > GAP * np.sort(gap[within & (of[1:] == of[row])])[-2]  # what is sold seldom has many gaps
    ]
    if found:
        series, place = panel.where(int(known[found[0] + 1]))
        others = f", and so in {len(found) - 1} more series" if len(found) > 1 else ""
        yield (
            f"series {series!r}, {place}: nothing in the {gap[found[0]] - 1} steps of {panel.frequency.name!r} before"
            f" it, over {GAP} times as many as it has values{others}; correct the time where that is a mistake"
        )


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
    return np.asarray((usual > ROUNDING * abs(median)) & (np.abs(values - median) > FAR * usual))
