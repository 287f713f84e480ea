"""The season of series whose frequency tells none: after how many steps values come back, cycle after cycle."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy import fft, stats

from pipelines.data.panel import Panel

SERIES, STEPS = 300, 20_000
"""So many series are looked at, spread over the table, and of each so many of its last steps."""
SHORTEST = 3
"""Of two steps a season cannot be told from values that alternate."""
CYCLES = 3
"""Seasons that a typical series has at least; fewer prove nothing."""
SEVERAL = 4
"""Seasons after which a length is checked."""
CURVE = 1 / 9
"""Share of the squared difference that a parabola saves at a lag of four, and a smooth curve at most."""
LITTLE = 0.15
"""What a season has to save at least."""
DIGITS = 12
"""What is less is rounding."""
STILL = 1e-9
"""A cycle with less of squared differences moves by rounding alone, and proves nothing."""
DOUBT = 1e-4
"""Chance of a proof where there is no season. Many lags are tried, and it is asked of every table."""

Ranks = Float64[ndarray, " steps"]
"""The ranks of a series less their mean, in units of their deviation; NaN in gaps."""


def seen_season(panel: Panel) -> int:
    """Steps after which the values of most series come back, or their changes; 1 where neither is beyond doubt.

    The values a lag back are compared with those from half as far back to half as far again, of which there are as
    many on both sides: so neither a trend nor a random walk, where what is nearer in time is nearer, makes a season,
    and neither does noise. Of the lags the one is looked at that saves most of the squared difference for its length
    (the difference function of de Cheveigné and Kawahara 2002, "YIN, a fundamental frequency estimator"). It is taken
    if it saves more than a smooth curve in cycle after cycle, by a t-test in which a cycle of all series is one
    observation, for series of one table move together. Ranks are compared, so that an outburst does not outweigh all
    other values; and where a season is small beside the trend, the changes from step to step show it.
    """
    longest = int(np.median(np.minimum(panel.lengths, STEPS))) // CYCLES
    chosen = np.linspace(0, len(panel) - 1, min(SERIES, len(panel))).astype(int)
    levels = [_share(panel.values[panel.indptr[i] : panel.indptr[i + 1]][-STEPS:]) for i in chosen]
    for series in (levels, map(np.diff, levels)):
        ranked = list(_ranked(series))
        lag = _candidate(ranked, longest)
        if lag > 1 and _returning(ranked, lag):
            return lag
    return 1


def _share(values: Float64[ndarray, " steps"]) -> Float64[ndarray, " steps"]:
    """Values as a share of the largest."""
    largest = np.abs(values).max(where=~np.isnan(values), initial=0)
    return values / largest if largest > 0 else values


def _ranked(series: Iterable[Float64[ndarray, " steps"]]) -> Iterable[Ranks]:
    """Those of series that move, by more than what is left of rounding."""
    for values in series:
        ranks = np.asarray(stats.rankdata(values.round(DIGITS), nan_policy="omit"))
        known = ranks[~np.isnan(ranks)]
        if known.size and np.ptp(known) > 0:
            yield (ranks - known.mean()) / known.std()


def _candidate(ranked: list[Ranks], longest: int) -> int:
    """The lag up to `longest` that saves most for its length, 1 where none saves more than little."""
    differences, pairs = np.zeros((2, longest + longest // 2 + 1))
    for ranks in ranked:
        difference, known = _differences(ranks, min(len(differences), len(ranks)))
        differences[: len(known)] += difference
        pairs[: len(known)] += known
    distance = np.divide(differences, pairs, out=np.zeros_like(pairs), where=pairs > 0)
    lags = np.arange(SHORTEST, longest + 1)
    around = _sums(distance, lags - lags // 2, lags + lags // 2) / (1 + lags // 2 * 2)
    saved = 1 - np.divide(distance[lags], around, out=np.ones(len(lags)), where=(around > 0) & (pairs[lags] > 0))
    if not (saved > LITTLE).any():
        return 1
    best = lags[np.argmax((saved - LITTLE) / lags)]

    def again(lag: int) -> float:
        """What is saved after one season and after several: what is a step off is further off each time."""
        return float(np.mean(saved[lag * np.arange(1, min(SEVERAL, longest // lag) + 1) - SHORTEST]))

    return int(max(lags[np.abs(lags - best) <= best // 4], key=again))  # those near it do nearly as well


def _differences(ranks: Ranks, lags: int) -> tuple[Float64[ndarray, " lags"], Float64[ndarray, " lags"]]:
    """At each lag from 0 on the sum of squared differences, and how many there are; by Fourier transforms."""
    known = ~np.isnan(ranks)
    values, size = np.where(known, ranks, 0.0), fft.next_fast_len(len(ranks) + lags, real=True)
    ones, linear, square = (fft.rfft(part, size) for part in (known.astype(float), values, values**2))

    def products(one: ndarray, other: ndarray) -> Float64[ndarray, " lags"]:
        return np.asarray(fft.irfft(one.conj() * other, size)[:lags])

    sums = products(square, ones) + products(ones, square) - 2 * products(linear, linear)
    return np.maximum(sums, 0), products(ones, ones).round()


def _returning(ranked: list[Ranks], lag: int) -> bool:
    """Whether the values one season back are nearer in cycle after cycle, counted from the ends of the series."""
    cycles = max(map(len, ranked)) // lag + 1
    own, others, pairs = np.zeros((3, cycles))
    for ranks in ranked:
        time = np.arange(lag + lag // 2, len(ranks))
        first, last = time - lag - lag // 2, time - lag + lag // 2
        values, known = np.nan_to_num(ranks), (~np.isnan(ranks)).astype(float)
        count, linear, square = (_sums(part, first, last) for part in (known, values, values**2))
        counts = (known[time] > 0) & (known[time - lag] > 0) & (count > 0)
        time, count, linear, square = (part[counts] for part in (time, count, linear, square))
        cycle = (len(ranks) - 1 - time) // lag
        pairs += np.bincount(cycle, minlength=cycles)
        own += np.bincount(cycle, (values[time] - values[time - lag]) ** 2, cycles)
        others += np.bincount(cycle, values[time] ** 2 + (square - 2 * values[time] * linear) / count, cycles)
    saved = (1 - np.divide(own, others, out=np.ones(cycles), where=others > STILL))[pairs > 0].round(DIGITS)
    if len(saved) < CYCLES:
        return False
    if np.ptp(saved) == 0:  # a test has nothing to divide by
        return bool(saved[0] > CURVE)
    return bool(stats.ttest_1samp(saved, CURVE, alternative="greater").pvalue < DOUBT)


def _sums(values: Float64[ndarray, " time"], first: ndarray, last: ndarray) -> ndarray:
    """From each first place to each last one, both included."""
    sums = np.append(0.0, np.cumsum(values))
    return np.asarray(sums[last + 1] - sums[first])
