"""Gaps of a panel: how many and how long, what interpolation says of them, and more of them to learn from."""

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from forecaster.batch import Batch
from forecaster.manifest import DataSpec
from pipelines.batches.windows import EPOCH, Table
from pipelines.data.panel import Panel

SHARE = 0.2
"""Of the values that are hidden in training."""


def lengths(panel: Panel) -> Int64[ndarray, "gaps"]:
    """The length of every gap."""
    missing = np.isnan(panel.values)
    first = np.zeros(panel.total, dtype=bool)
    first[panel.indptr[:-1]] = True
    begins = missing & (first | ~np.roll(missing, 1))
    return np.asarray(np.bincount(np.cumsum(begins)[missing] - 1))


def draw(
    panel: Panel, like: Int64[ndarray, "gaps"], share: float, random: np.random.Generator
) -> Bool[ndarray, "total"]:
    """Known values to hide, about `share` of all, in stretches as long as those in `like`; of no series over half."""
    begin = random.integers(0, panel.total, max(1, round(share * panel.total / like.mean())))
    ends = panel.indptr[np.searchsorted(panel.indptr, begin, side="right")]
    change = np.zeros(panel.total + 1, dtype=np.int64)
    np.add.at(change, begin, 1)
    np.add.at(change, np.minimum(begin + random.choice(like, len(begin)), ends), -1)
    known = ~np.isnan(panel.values)
    hidden = (change.cumsum()[:-1] > 0) & known
    many = 2 * np.add.reduceat(hidden, panel.indptr[:-1], dtype=np.int64) > np.add.reduceat(
        known, panel.indptr[:-1], dtype=np.int64
    )
    return np.asarray(hidden & ~np.repeat(many, panel.lengths))


def guesses(
    panel: Panel, values: Float64[ndarray, "total"], seasons: tuple[int, ...]
) -> Float64[ndarray, "total guesses"]:
    """Linear interpolation, and for each season that between the same phases; zero where a series has no value.

    A gap at the end of a series repeats the nearest known value.
    """
    series = np.repeat(np.arange(len(panel)), panel.lengths)
    step = np.arange(panel.total) - panel.indptr[series]
    made = [_between(values, series)]
    for season in seasons:
        phase = series * season + step % season
        order = np.argsort(phase, kind="stable")
        seasonal = np.empty_like(values)
        seasonal[order] = _between(values[order], phase[order])
        made.append(np.where(np.isnan(seasonal), made[0], seasonal))
    return np.asarray(np.nan_to_num(np.stack(made, 1)))


def _between(values: Float64[ndarray, "total"], group: Int64[ndarray, "total"]) -> Float64[ndarray, "total"]:
    """Each missing value on the line between the known ones before and after it in its group of consecutive values."""
    place, known = np.arange(len(values)), ~np.isnan(values)
    before = np.maximum.accumulate(np.where(known, place, 0))
    after = np.minimum.accumulate(np.where(known, place, len(values) - 1)[::-1])[::-1]
    left = np.where(group[before] == group, values[before], np.nan)
    right = np.where(group[after] == group, values[after], np.nan)
    share = (place - before) / np.maximum(after - before, 1)
    line = left * (1 - share) + right * share
    return np.where(np.isnan(left), right, np.where(np.isnan(right), left, line))


class Gaps:
    """Windows of `time` steps at random places in which known values were hidden, other ones in each epoch."""

    def __init__(
        self,
        panel: Panel,
        data: DataSpec,
        seasons: tuple[int, ...],
        *,
        like: Int64[ndarray, "gaps"],
        lanes: int,
        time: int,
        seed: int,
    ) -> None:
        self.panel, self.seasons, self.like = panel, seasons, like
        self.lanes, self.time, self.seed = lanes, time, seed
        self.table = Table(panel, data)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the same number gives the same batches."""
        random = np.random.default_rng((self.seed, number))
        hidden = draw(self.panel, self.like, SHARE, random)
        seen = self.seen(np.where(hidden, np.nan, self.panel.values))
        truth = self._table(np.where(hidden, self.panel.values, np.nan))
        for _ in range(EPOCH):
            place = random.integers(0, self.panel.total, self.lanes)
            series = np.searchsorted(self.panel.indptr, place, side="right") - 1
            begin = place - self.panel.indptr[series] - random.integers(0, self.time, self.lanes)
            window = seen.gather(series, begin, self.time, 0, reset=True)
            yield replace(window, future=truth.gather(series, begin, self.time, 0, reset=True).target)

    def seen(self, values: Float64[ndarray, "total"]) -> Table:
        """The panel with these values instead of its own, and what interpolation says of them as covariates."""
        table = self._table(values)
        guessed = torch.from_numpy(guesses(self.panel, values, self.seasons)).to(table.known)
        table.known = torch.cat([torch.nn.functional.pad(guessed, (0, 0, 0, 1)), table.known], 1)
        return table

    def _table(self, values: Float64[ndarray, "total"]) -> Table:
        table = copy.copy(self.table)
        table.target = torch.from_numpy(np.append(values, np.nan)).to(table.target)
        return table
