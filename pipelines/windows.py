"""From a panel to batches: contiguous lanes, random windows, and the histories to forecast from.

All of them gather from the same contiguous tensors by index, on any device, without a Python loop per window.
"""

import heapq
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int64
from numpy import ndarray

from forecaster.batch import Batch
from forecaster.spec import DataSpec
from pipelines.covariates import encode
from pipelines.panel import Panel

EPOCH = 25
"""Batches after which training reports, validates and saves."""
PIECE = 8
"""Chunks that a lane reads in a row at least before a long history may be cut."""


class Table:
    """A panel as tensors, each followed by one row that stands for whatever lies outside a series."""

    def __init__(self, panel: Panel, data: DataSpec, horizon: int = 0, device: torch.device | None = None) -> None:
        target, known, known_indptr, past, static = encode(panel, data, horizon)
        answers = np.full(len(panel), np.nan) if panel.whole is None else panel.whole.encode(data)
        self.answers = torch.from_numpy(np.append(answers, np.nan)).to(device) if data.whole is not None else None
        self.start, self.length = (torch.from_numpy(x) for x in (panel.indptr[:-1], panel.lengths))
        self.known_start, self.known_length = (
            torch.from_numpy(known_indptr[:-1]),
            torch.from_numpy(np.diff(known_indptr)),
        )
        self.target = torch.from_numpy(np.append(target, np.nan)).to(device)
        self.known = torch.from_numpy(np.vstack([known, np.zeros_like(known, shape=(1, known.shape[1]))])).to(device)
        self.past = torch.from_numpy(np.vstack([past, np.full_like(past, np.nan, shape=(1, past.shape[1]))])).to(device)
        self.static = torch.from_numpy(np.vstack([static, np.zeros_like(static, shape=(1, static.shape[1]))])).to(
            device
        )

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
        )


class Lanes:
    """Whole histories, read from the first observation to the last in chunks of `chunk` steps, `lanes` side by side.

    A lane that reaches the end of a series takes the next one and resets. A history so long that it would hold up the
    others is cut into a few pieces. In each epoch the segments of a series end at another phase, so that over the
    epochs every observation ends one; where only every `apart`-th segment is learned from, it is read from a later one
    on, so that each has its turn. An epoch passes over a small panel several times and over a random part of a
    large one, so that it is always about `EPOCH` batches.
    """

    def __init__(
        self, table: Table, *, lanes: int, chunk: int, ahead: int, stride: int, seed: int, apart: int = 1
    ) -> None:
        if chunk % stride:
            raise ValueError(f"a chunk of {chunk} steps is no multiple of the stride {stride}")
        self.table, self.chunk, self.ahead, self.stride, self.seed = table, chunk, ahead, stride, seed
        self.apart = apart
        lengths = table.length.numpy()
        chunks = -(-(lengths + stride - 1) // chunk) * (lengths > 0)
        piece = max(PIECE, -(-int(chunks.sum()) // lanes))
        pieces = -(-chunks // piece)
        copies = max(1, min(stride, lanes // 2 // max(int(pieces.sum()), 1)))  # few pieces: each at several phases
        self.series = np.repeat(np.repeat(np.arange(len(lengths)), pieces), copies)
        number = np.concatenate([np.arange(count) for count in pieces] or [np.zeros(0, np.int64)]).repeat(copies)
        self.first = number * piece
        self.count = np.minimum(chunks[self.series] - self.first, piece)
        self.lanes = min(lanes, len(self.series))

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; the same number gives the same batches."""
        random = np.random.default_rng((self.seed, number))
        passes = max(1, self.lanes * EPOCH // int(self.count.sum()))
        order = np.concatenate([random.permutation(len(self.series)) for _ in range(passes)])
        order = order[: max(1, int(np.searchsorted(self.count[order].cumsum(), 2 * self.lanes * EPOCH)))]
        late = random.integers(0, self.stride * self.apart, len(order))
        free = [(0, lane) for lane in range(self.lanes)]
        plan = []
        for item in order:
            slot, lane = free[0]
            plan.append((slot, lane))
            heapq.heapreplace(free, (slot + int(self.count[item]), lane))
        slots = max(free)[0]
        series = np.full((slots, self.lanes), -1)
        begin = np.zeros((slots, self.lanes), dtype=np.int64)
        reset = np.ones((slots, self.lanes), dtype=bool)
        for (slot, lane), item, phase in zip(plan, order, late, strict=True):
            span = np.arange(self.count[item])
            skipped, phase = divmod(int(phase), self.stride)
            ends = int(self.table.length[self.series[item]]) - phase
            first = skipped * self.stride - (-ends) % self.stride
            series[slot : slot + len(span), lane] = self.series[item]
            begin[slot : slot + len(span), lane] = (self.first[item] + span) * self.chunk + first
            reset[slot : slot + len(span), lane] = span == 0
        for slot in range(slots):
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
        stride: int,
        seed: int,
        after: Int64[ndarray, "series"] | None = None,
    ) -> None:
        if context % stride:
            raise ValueError(f"a context of {context} steps is no multiple of the stride {stride}")
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
