"""Splits by time: rolling origins that count back from the end of each series, and train | calibrate | test.

A panel that is cut at an origin holds no value from after it. The origins of a split lie a horizon apart or more,
so that its parts follow one another without overlap, for each series up to its own end:

    train      ................
    calibrate  ................|====  |====          forecasts from these origins, beside what came
    test       ............................|====  |====

What is to be told of whole series is split by series: each is in one part, from its beginning to its end.
"""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from forecaster.errors import DataError
from forecaster.spec import Task
from pipelines.lists import read_starts
from pipelines.panel import Panel

_ENOUGH = 64  # held-out horizons that say enough of a model, over all series
_LEAST = 2  # origins where there is room: all series share a day
_MANY = 1000  # series; of more, another copy of their histories costs more than it tells
_MOST = 8  # origins, however few the series are
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


def origins(panel: Panel, horizon: int, windows: int, stride: int | None = None) -> HeldOut:
    """The last `windows` origins with `horizon` steps after them, `stride` (a horizon) apart, oldest first.

    Each keeps every series, in the same order. One that is too short keeps its first step, and has no actual
    values: they are NaN.
    """
    back = horizon + (horizon if stride is None else stride) * np.arange(windows)[::-1]
    repeated = panel.select(np.tile(np.arange(len(panel)), windows))
    length = repeated.lengths - back.repeat(len(panel))
    before = repeated.cut(np.maximum(length, 1))
    observed = np.logical_or.reduceat(~np.isnan(before.values), before.indptr[:-1])
    usable = (length > 0) & observed
    actual = np.full((len(repeated), horizon), np.nan)
    actual[usable] = repeated.values[(repeated.indptr[:-1] + length)[usable, None] + np.arange(horizon)]
    return HeldOut(before, actual)


def split(panel: Panel, task: Task, until: str | None = None) -> Split:
    """Hold out the last horizons of each series to test on, and as many before them to calibrate on.

    More of them for few series than for many, though of hundreds too two days tell more than one, and further apart in
    long series than in short ones: a week of holidays at the end of two years should not decide. Where a typical
    series has no room for both, every other one is for calibration and the rest for the test if they are many, or else
    all for the test; where it has room for none, all is there to train on. With `until`, the last time that another
    model has seen, the test knows later values only, and there is none where those are fewer than a horizon.
    """
    typical = float(np.median(panel.lengths))
    room = int(typical / 2) // task.horizon
    enough = max(-(-_ENOUGH // len(panel)), _LEAST if len(panel) <= _MANY else 1)
    wanted = min(_MOST, enough, max(1, int(_SHARE * typical) // task.horizon))
    fresh = after(panel, until)
    test = min(wanted, room, int(fresh.max()) // task.horizon)
    calibrate = min(wanted, room - test)
    if not test:
        return Split(panel)
    count = calibrate + test
    spread = int(_SHARE * typical) // count
    if until is not None:  # the test fills what is fresh, and half is left to train on
        spread = min(int(fresh.max()) // test, int(typical / 2) // count)
    both = origins(panel, task.horizon, count, max(task.horizon, spread))
    border, rows, train = calibrate * len(panel), len(both.actual), both.panel.select(np.arange(len(panel)))
    ahead = np.tile(panel.lengths, count) - both.panel.lengths  # steps that are left at each origin
    seen = ahead[:, None] - np.arange(task.horizon) > np.tile(fresh, count)[:, None]
    both.actual[border:][seen[border:]] = np.nan
    if not calibrate and len(panel) >= 2 * _ENOUGH:
        return Split(train, calibrate=both.rows(0, rows, 2), test=both.rows(1, rows, 2))
    before = both.panel.select(np.arange(border, border + len(panel))) if calibrate else None
    return Split(train, calibrate=both.rows(0, border), test=both.rows(border, rows), before=before)


def after(panel: Panel, until: str | None) -> Int64[ndarray, "series"]:
    """How many of its last steps each series has after a time, as an artifact says it; all without one."""
    if until is None:
        return panel.lengths
    time, zone = read_starts(["until"], [int(until) if panel.frequency.is_step else until], panel.frequency, panel.zone)
    last, _ = panel.frequency.locate(time.repeat(len(panel)), panel.start, zone)
    return panel.lengths - np.clip(last + 1, 0, panel.lengths)


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
