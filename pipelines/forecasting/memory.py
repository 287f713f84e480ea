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
from forecaster.state import State, pack, part, parts, unpack
from pipelines.batches.histories import at_the_end
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
class Memory:
    """What is left of several series: the carry of a model that streams, and what forecasts are told by beside it."""

    carry: Carry
    traits: Traits

    @classmethod
    def none(cls, model: Model) -> "Memory":
        """Of one series that has not begun."""
        no = np.zeros(1, dtype=bool)
        return cls(model.start(1), Traits(no.astype(np.int64), no, no))

    def recalled(self, rows: Sequence[UInt8[Tensor, "bytes"] | None]) -> "Memory":
        """Restored from the bytes of each series; None stands for a series as the one of this memory."""
        like = self._state()
        (own,) = pack(like)
        state = unpack(torch.stack([own if row is None else row for row in rows]), like)
        traits = {name: values.numpy() for name, values in part(state, "traits").items()}
        return Memory(part(state, "carry"), Traits(**traits))

    def rows(self) -> list[UInt8[Tensor, "bytes"]]:
        """What is left of each series by itself, as bytes."""
        return [row.clone() for row in pack(self._state())]

    def after(self, model: Model, data: DataSpec, panel: Panel) -> "Memory":
        """With the steps of a panel of the same series, each from where it ended."""
        read = at_the_end(model, data, panel, 0, lambda carry, _: tuple(carry.values()), self.carry)
        return Memory(dict(zip(self.carry, read, strict=True)), self.traits.then(Traits.of(panel)))

    def _state(self) -> State:
        told = {name: torch.from_numpy(values) for name, values in vars(self.traits).items()}
        return parts(carry=self.carry, traits=told)
