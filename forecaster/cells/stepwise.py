"""Cells in plain torch, for equations that no fused kernel has."""

from abc import abstractmethod
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from forecaster.core import Cell
from forecaster.state import State


class Stepwise(Cell):
    """A cell that is one equation, `advance`.

    What the inputs give to the gates does not depend on the state, so it is one product for all steps of a scan; a
    loop over the steps does the rest.
    """

    vectors: ClassVar[tuple[str, ...]] = ("hidden",)
    """The state; each is as wide as the cell and starts at zero, and `hidden` is the features too."""

    def __init__(self, inputs: int, width: int, gates: int) -> None:
        super().__init__(inputs, width)
        self.drive = nn.Linear(inputs, gates * width)

    @abstractmethod
    def advance(self, state: State, drive: Float[Tensor, "batch gates"]) -> State:
        """The next state, from what the inputs give to each gate in turn: U x + b."""

    @final
    def initial(self, batch: int) -> State:
        return {name: self.drive.weight.new_zeros(batch, self.features) for name in self.vectors}

    @final
    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        features = []
        for drive in self.drive(xs).unbind(1):
            state = self.advance(state, drive)
            features.append(state["hidden"])
        return state, torch.stack(features, 1)
