"""Splits by time: rolling origins that count back from the end of each series, and train | calibrate | test.

A panel that is cut at an origin holds no value from after it. The parts of a split follow one another, for each series
up to its own end. Origins lie a horizon apart or more where there is room, and closer together where there is none:

    train      ................
    calibrate  ................|====  |====          forecasts from these origins, beside what came
    test       ............................|====  |====

What is to be told of whole series is split by series: each is in one part, from its beginning to its end.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from forecaster.errors import DataError
from forecaster.spec import Task
from pipelines.data.cutoff import Cutoff
from pipelines.data.panel import Panel

_BEGUN = 512  # origins that tell how wide the intervals of a young series are
_ENOUGH = 64  # held-out horizons that say enough of a model, over all series
_LEAST = 2  # origins where there is room: all series share a day
_MANY = 1000  # series; of more, another copy of their histories costs more than it tells
_MOST = 8  # origins, however few the series are
_OVERLAP = 8  # origins at most that forecast the same step: more of them say little new
_PART = 5  # one series in so many is for calibration, and one for the test
_SHARE = 0.15  # of a typical series, for calibration as for the test


class HeldOut(NamedTuple):
    """Series as they were at one or several origins, and what came after: all series at the first origin, then all at
    the next."""

    panel: Panel
    actual: Float64[ndarray, "rows horizon"]
    """NaN in gaps and where an answer is not known, and for a series that had no observation before the origin."""

    @property
    def digest(self) -> str:
        """The SHA-256 of what was to be forecast from what."""
        return hashlib.sha256(self.panel.digest.encode() + np.nan_to_num(self.actual, nan=np.inf).tobytes()).hexdigest()

    def rows(self, begin: int, end: int, step: int = 1) -> "HeldOut | None":
        """Some of them, None where that is none."""
        chosen = np.arange(begin, end, step)
        return HeldOut(self.panel.select(chosen), self.actual[chosen]) if len(chosen) else None


@dataclass(frozen=True)
class Split:
    """The parts of a panel in the order of time; None where the series are too short for them."""

    train: Panel
    calibrate: HeldOut | None = None
    test: HeldOut | None = None
    before: Panel | None = None
    """What there was before the test, with what calibrates; None where that is no more than there is to train on."""
    seen: bool = False
    """Whether another model, which candidates may start from, has seen what calibrates."""

    @property
    def judges(self) -> tuple[HeldOut, ...]:
        """What candidates are compared by."""
        return tuple(part for part in (None if self.seen else self.calibrate, self.test) if part is not None)


def origins(panel: Panel, horizon: int, windows: int, stride: int | None = None) -> HeldOut:
    """The last `windows` origins with `horizon` steps after them, `stride` (a horizon) apart, oldest first.

    Each keeps every series, in the same order. One that is too short keeps its first step, and has no actual
    values: they are NaN.
    """
    back = horizon + (horizon if stride is None else stride) * np.arange(windows)[::-1]
    repeated = panel.select(np.tile(np.arange(len(panel)), windows))
    length = repeated.lengths - back.repeat(len(panel))
    before = repeated.cut(np.maximum(length, 1))
    usable = (length > 0) & before.having(~np.isnan(before.values))
    actual = np.full((len(repeated), horizon), np.nan)
    actual[usable] = repeated.values[(repeated.indptr[:-1] + length)[usable, None] + np.arange(horizon)]
    return HeldOut(before, actual)


def split(panel: Panel, task: Task, until: str | None = None) -> Split:
    """Hold out the last horizons of each series to test on, and as many before them to calibrate on.

    More of them for few series than for many, though of hundreds too two days tell more than one, and further apart in
    long series than in short ones: a week of holidays at the end of two years should not decide, nor one of two far
    horizons. Where a typical series has no room for both, every other one is for calibration and the rest for the test
    if they are many, or else all for the test; where it has room for none, all is there to train on. With `until`, the
    last time that another model has seen, the test knows later values only, as many as there are, and there is none
    where those are fewer than a horizon.
    """
    horizon, typical = task.horizon, float(np.median(panel.lengths))
    half, share, fresh = int(typical / 2), int(_SHARE * typical), after(panel, until)
    enough = min(_MOST, max(-(-_ENOUGH // len(panel)), _LEAST if len(panel) <= _MANY else 1))
    span = max(horizon, min(enough * horizon, share), share // 2)
    tested = min(half, span if until is None else min(int(fresh.max()), max(span, half - span)))
    if tested < horizon:
        return Split(panel)
    test = origins(panel, horizon, *_spread(tested, horizon, enough))
    rows = len(test.actual)
    ahead = np.resize(panel.lengths, rows) - test.panel.lengths  # steps that are left at each origin
    test.actual[ahead[:, None] - np.arange(horizon) > np.resize(fresh, rows)[:, None]] = np.nan
    first = np.arange(len(panel))
    before = test.panel.select(first)
    if tested + span <= half:
        calibrate = origins(before, horizon, *_spread(span, horizon, enough))
        return Split(calibrate.panel.select(first), calibrate, test, before, seen=until is not None)
    if len(panel) >= 2 * _ENOUGH:
        return Split(before, calibrate=test.rows(0, rows, 2), test=test.rows(1, rows, 2))
    return Split(before, test=test)


def _spread(span: int, horizon: int, most: int) -> tuple[int, int]:
    """How many origins, and how far apart, if what follows them is to fill `span` steps."""
    count = min(most, 1 + (span - horizon) // max(1, horizon // _OVERLAP))
    return count, (span - horizon) // max(1, count - 1)


def after(panel: Panel, until: str | None) -> Int64[ndarray, "series"]:
    """How many of its last steps each series has after a time, which may lie between two steps; all without one.

    Raises DataError on what is no time of such series (`pipelines.data.cutoff`).
    """
    if until is None:
        return panel.lengths
    time = np.full(len(panel), Cutoff(until, panel.zone).last(panel.frequency))
    last, _ = panel.frequency.locate(time, panel.start, panel.zone)
    return panel.lengths - np.clip(last + 1, 0, panel.lengths)


def begun(held_out: HeldOut) -> Iterator[tuple[int, HeldOut]]:
    """Up to `_BEGUN` origins before which only the last 1, 2, 4 ... steps are known, up to half a typical history."""
    some = held_out.rows(0, len(held_out.actual), -(-len(held_out.actual) // _BEGUN))
    assert some is not None
    steps = 1
    while 2 * steps <= np.median(some.panel.lengths):
        panel = some.panel.last(steps)
        seen = panel.having(~np.isnan(panel.values))[:, None]
        yield steps, HeldOut(panel, np.where(seen, some.actual, np.nan))
        steps *= 2


def answered(panel: Panel) -> Panel:
    """The series of which the answer is known. Raises DataError where that is too little to learn from."""
    assert panel.whole is not None
    known = ~np.isnan(panel.whole.values)
    if len(np.unique(panel.whole.values[known])) < 2:
        raise DataError(
            f"{panel.whole.name!r} has fewer than two different values",
            remedy="give it on two series at least, and on many to learn from them",
        )
    return panel.select(np.flatnonzero(known))


def ended(panel: Panel) -> HeldOut:
    """Whole series, and their answers."""
    assert panel.whole is not None
    return HeldOut(panel, panel.whole.values[:, None])


def by_series(panel: Panel, seed: int) -> Split:
    """Hold out a fifth of the series to test on and another to calibrate on, drawn with the seed."""
    drawn, part = np.random.default_rng(seed).permutation(len(panel)), len(panel) // _PART
    both = ended(panel.select(drawn[: 2 * part]))
    return Split(
        train=panel.select(drawn[2 * part :]),
        calibrate=both.rows(0, part),
        test=both.rows(part, 2 * part),
        before=panel.select(np.concatenate([drawn[2 * part :], drawn[:part]])) if part else None,
    )
