"""The autoregressive model, whose memory is the last inputs themselves."""

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from forecaster.core import Cell
from forecaster.state import State


class Autoregressive(Cell):
    """Autoregression: features are a map of the last `order` inputs, and of nothing before them (Yule 1927).

    features_t = A [x_{t - order + 1}, ..., x_t] + b, or a network with one layer of `hidden` tanh units in place of A.
    The state is the queue of the `order - 1` inputs that the next step needs beside its own; zeros stand for what was
    before the first. With `order` 1 it is the Markov model: there is no state.
    """

    name = "ar"

    def __init__(self, inputs: int, width: int, order: PositiveInt = 4, hidden: NonNegativeInt = 0) -> None:
        super().__init__(inputs, width)
        self.order = order
        reach = order * inputs
        layers = (
            [nn.Linear(reach, hidden), nn.Tanh(), nn.Linear(hidden, width)] if hidden else [nn.Linear(reach, width)]
        )
        self.map = nn.Sequential(*layers)

    def initial(self, batch: int) -> State:
        return {"queue": next(self.parameters()).new_zeros(batch, self.order - 1, self.inputs)}

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        seen = torch.cat([state["queue"], xs], 1)
        last = seen.unfold(1, self.order, 1).transpose(2, 3).flatten(2)
        return {"queue": seen[:, xs.shape[1] :]}, self.map(last)
