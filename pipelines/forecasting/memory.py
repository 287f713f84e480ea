"""What is left of series that were read before, so that only what came since has to be read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from numpy import ndarray
from torch import Tensor

from forecaster.manifest import DataSpec
from forecaster.model import Carry, Model
from forecaster.state import pack, take, unpack
from pipelines.batches.histories import SEGMENTS
from pipelines.batches.windows import Table
from pipelines.data.panel import Panel


@dataclass(frozen=True)
class Traits:
    """What forecasts of a series are told by beside what a model says."""

    lengths: Int64[ndarray, "series"]
    """Steps, gaps included."""
    fractions: Bool[ndarray, "series"]
    """Whether it has values that are not whole."""
    negative: Bool[ndarray, "series"]
    """Whether it has values below zero."""

    @classmethod
    def of(cls, panel: Panel) -> "Traits":
        """Those of the series of a panel."""
        return cls(panel.lengths, panel.having(panel.fractions), panel.having(panel.values < 0))

    def then(self, later: "Traits") -> "Traits":
        """Those of the same series with what came later."""
        return Traits(self.lengths + later.lengths, self.fractions | later.fractions, self.negative | later.negative)


@dataclass(frozen=True)
class Trace:
    """What is left of one series."""

    carry: UInt8[Tensor, "bytes"]
    length: int
    fractions: bool
    negative: bool


@dataclass(frozen=True)
class Memory:
    """What is left of several series: the carry of a model that streams, and what forecasts are told by beside it."""

    carry: Carry
    traits: Traits

    @classmethod
    def of(cls, model: Model, traces: Sequence[Trace | None]) -> "Memory":
        """Of series of which something is left, and of those before their first value, of which nothing is."""
        like = model.start(1)
        fresh = Trace(pack(like)[0], 0, fractions=False, negative=False)
        known = [trace or fresh for trace in traces]
        traits = Traits(
            np.array([one.length for one in known]),
            np.array([one.fractions for one in known]),
            np.array([one.negative for one in known]),
        )
        return cls(unpack(torch.stack([one.carry for one in known]), like), traits)

    def traces(self) -> list[Trace]:
        """What is left of each series by itself."""
        rows = [row.clone() for row in pack(self.carry)]
        columns = (self.traits.lengths.tolist(), self.traits.fractions.tolist(), self.traits.negative.tolist())
        return [Trace(*one) for one in zip(rows, *columns, strict=True)]

    @torch.inference_mode()
    def after(self, model: Model, data: DataSpec, panel: Panel) -> "Memory":
        """With the steps of a panel of the same series, each from where it ended: as many steps of the model."""
        table, carries, places = Table(panel, data), [], []
        for length in np.unique(panel.lengths):
            series = np.flatnonzero(panel.lengths == length)
            carry = take(self.carry, torch.from_numpy(series))
            for begin in range(0, int(length), SEGMENTS * model.stride):
                time = min(SEGMENTS * model.stride, int(length) - begin)
                carry = model.observe(carry, table.gather(series, np.full(len(series), begin), time, 0, reset=False))
            carries.append(carry)
            places.append(series)
        back = torch.from_numpy(np.argsort(np.concatenate(places)))
        carry = {name: torch.cat([one[name] for one in carries])[back] for name in self.carry}
        return Memory(carry, self.traits.then(Traits.of(panel)))
