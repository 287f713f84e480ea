"""A layer without memory, to stand on those that have one."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.state import State


class Plain(Core):
    """A layer without memory, tanh(W x + b) at each step: its state is empty."""

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        self.inputs = inputs
        self.features = features
        self.map = nn.Linear(inputs, features)

    def initial(self, batch: int) -> State:  # noqa: ARG002
        return {}

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        return state, torch.tanh(self.map(xs))
