"""The contract of every causal recurrent core."""

from abc import ABC, abstractmethod
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from forecaster.state import State


class Core(nn.Module, ABC):
    """A fold over time: a state and an input give a new state and features.

    The law, held by `tests/laws.py` for each core, outputs and gradients: one scan equals two scans with the state
    handed over; a scan equals its steps; a change at t moves nothing before t; lanes do not see each other, and a
    reset lane equals a fresh one. A network that needs the whole window at once is an encoder, not a `Core`: it has
    no `step`, so nobody can carry or stream it.
    """

    inputs: int
    """Width of the input at one step."""
    features: int
    """Width of the output at one step."""

    @abstractmethod
    def initial(self, batch: int) -> State:
        """The state of `batch` lanes before their first step."""

    @final
    def step(self, state: State, x: Float[Tensor, "batch inputs"]) -> tuple[State, Float[Tensor, "batch features"]]:
        """One step of every lane: a scan of one."""
        after, features = self.scan(state, x.unsqueeze(1))
        return after, features.squeeze(1)

    @abstractmethod
    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        """All steps in turn; the state handed back is the one after the last step."""


class Cell(Core):
    """One recurrent layer, made from the width of its input and its own; further options have defaults.

    The first line of its docstring is what `forecaster recipes` says of it.
    """

    name: ClassVar[str]
    """By which a recipe chooses it."""

    @abstractmethod
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.features = width
