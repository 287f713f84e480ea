"""From a panel to batches: contiguous lanes, random windows, and the histories to forecast from.

All of them gather from the same contiguous tensors by index, on any device, without a Python loop per window.
"""

import heapq
from collections.abc import Iterator
from itertools import chain, count

import numpy as np
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from forecaster.batch import Batch
from forecaster.manifest import DataSpec
from pipelines.batches.covariates import encode
from pipelines.data.panel import Panel

EPOCH = 25
"""Batches after which training reports, validates and saves."""


class Table:
    """A panel as tensors, each followed by one row that stands for whatever lies outside a series."""

    def __init__(
        self,
        panel: Panel,
        data: DataSpec,
        horizon: int = 0,
        device: torch.device | None = None,
        unit: Float64[ndarray, "series"] | None = None,
    ) -> None:
        target, known, known_indptr, past, static = encode(panel, data, horizon)
        answers = np.full(len(panel), np.nan) if panel.whole is None else panel.whole.encode(data)
        units = np.full(len(panel), np.nan) if unit is None else unit

        def padded(cells: ndarray, missing: float) -> Tensor:
            outside = np.full_like(cells, missing, shape=(1, *cells.shape[1:]))
            return torch.from_numpy(np.concatenate([cells, outside])).to(device)

        self.unit = padded(units, np.nan)
        self.answers = padded(answers, np.nan) if data.whole is not None else None
        self.start, self.length = torch.from_numpy(panel.indptr[:-1]), torch.from_numpy(panel.lengths)
        self.known_start = torch.from_numpy(known_indptr[:-1])
        self.known_length = torch.from_numpy(np.diff(known_indptr))
        self.target, self.past = padded(target, np.nan), padded(past, np.nan)
        self.known, self.static = padded(known, 0), padded(static, 0)

    def gather(
        self,
        series: Int64[ndarray, "batch"],
        begin: Int64[ndarray, "batch"],
        time: int,
        ahead: int,
        reset: bool | ndarray,
    ) -> Batch:
        """Stretches of `time` steps from `begin` on, with the `ahead` next targets, or the answer that the series has.

        Positions before and after a series are missing; the series -1 is all missing.
        """
        chosen, first = torch.from_numpy(series), torch.from_numpy(begin)
        steps = first[:, None] + torch.arange(time + ahead)

        def rows(start: torch.Tensor, length: torch.Tensor, sentinel: int) -> torch.Tensor:
            inside = (steps >= 0) & (steps < length[chosen][:, None]) & (chosen >= 0)[:, None]
            return torch.where(inside, start[chosen][:, None] + steps, sentinel)

        index = rows(self.start, self.length, len(self.target) - 1).to(self.target.device)
        known = rows(self.known_start, self.known_length, len(self.known) - 1).to(self.target.device)
        target = self.target[index]
        future = target[:, time:]
        if self.answers is not None:
            future = self.answers[chosen.to(self.target.device), None].expand(-1, ahead)
        return Batch(
            target=target[:, :time],
            known=self.known[known],
            past=self.past[index[:, :time]],
            static=self.static[chosen.to(self.target.device)],
            reset=torch.from_numpy(np.broadcast_to(reset, series.shape).copy()).to(self.target.device),
            future=future,
            unit=self.unit[chosen.to(self.target.device)],
        )


class Lanes:
    """Histories, read in order to the last observation in chunks of `chunk` steps, `lanes` side by side.

    A lane that reaches the end of a series takes another one and resets. An epoch begins in the middle of things: the
    first series of each lane is read from a random chunk on. So no batch holds beginnings only, or one and the same
    year of all series. In each epoch the segments of a series end at another phase, so that over the epochs every
    observation ends one; where only every `apart`-th segment is learned from, it is read from a later one on, so that
    each has its turn. Of few series several stretches are read side by side, at other phases. Up to a share `late` of a
    series is left out at its beginning: a state that always begins there knows by its age which part of the data it
    reads, and learns that by heart.
    """

    def __init__(
        self,
        table: Table,
        *,
        lanes: int,
        chunk: int,
        ahead: int,
        stride: int,
        seed: int,
        apart: int = 1,
        late: float = 0.0,
    ) -> None:
        if chunk % stride:
            raise ValueError(f"a chunk of {chunk} steps is no multiple of the stride {stride}")
        self.table, self.chunk, self.ahead, self.stride, self.seed = table, chunk, ahead, stride, seed
        self.apart, self.late = apart, late
        lengths = table.length.numpy()
        self.series = np.flatnonzero(lengths)
        self.share = lengths[self.series] / lengths.sum()
        self.lanes = min(lanes, stride * int((-(-lengths // chunk)).sum()))  # there are no more that differ

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the same number gives the same batches."""
        random = np.random.default_rng((self.seed, number))
        series = np.full((EPOCH, self.lanes), -1)
        begin = np.zeros((EPOCH, self.lanes), dtype=np.int64)
        reset = np.ones((EPOCH, self.lanes), dtype=bool)
        free = [(0, lane) for lane in range(self.lanes)]
        underway = random.choice(self.series, self.lanes, p=self.share)  # a long one is so at any moment more likely
        turns = chain(underway, chain.from_iterable(random.permutation(self.series) for _ in count()))
        while free[0][0] < EPOCH:
            slot, lane = free[0]
            chosen = next(turns)
            length = int(self.table.length[chosen])
            segment, phase = divmod(int(random.integers(self.stride * self.apart)), self.stride)
            segment += int(random.uniform(0, self.late) * length / self.stride)
            first = min(segment, (length - 1) // self.stride) * self.stride - (phase - length) % self.stride
            chunks = -(-(length - first) // self.chunk)
            passed = int(random.integers(chunks)) if slot == 0 else 0
            heapq.heapreplace(free, (slot + chunks - passed, lane))
            read = np.arange(passed, chunks)[: EPOCH - slot]
            rows = slice(slot, slot + len(read))
            series[rows, lane] = chosen
            begin[rows, lane] = first + read * self.chunk
            reset[rows, lane] = read == passed
        for slot in range(EPOCH):
            yield self.table.gather(series[slot], begin[slot], self.chunk, self.ahead, reset[slot])


class Windows:
    """Windows of `context` steps at random places, each standing alone; all end after the first `after` steps."""

    def __init__(
        self,
        table: Table,
        *,
        lanes: int,
        context: int,
        ahead: int,
        seed: int,
        after: Int64[ndarray, "series"] | None = None,
    ) -> None:
        self.table, self.lanes, self.context, self.ahead, self.seed = table, lanes, context, ahead, seed
        self.places = (table.length.numpy() - (0 if after is None else after)).cumsum()

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the same number gives the same batches."""
        random = np.random.default_rng((self.seed, number))
        for _ in range(EPOCH):
            place = random.integers(0, self.places[-1], self.lanes)
            series = np.searchsorted(self.places, place, side="right")
            end = place - self.places[series] + self.table.length.numpy()[series] + 1
            yield self.table.gather(series, end - self.context, self.context, self.ahead, True)
