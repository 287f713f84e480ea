"""The gated recurrent unit as its paper has it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from forecaster.cells.stepwise import Stepwise
from forecaster.state import State


class GRUBefore(Stepwise):
    """Gated recurrent unit of the paper: the reset comes before the product (Cho et al. 2014, equations 5 to 8).

    r = sigma(W_r h + U_r x + b_r), u = sigma(W_u h + U_u x + b_u),
    candidate = tanh(W (r * h) + U x + b), h = (1 - u) * h + u * candidate.
    In `gru`, which is cuDNN's, the reset gate multiplies the product, r * (W h + c), so that all products with h are
    one, and u is the share that is kept, 1 - u here.
    """

    name = "gru_before"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, gates=3)
        self.gates = nn.Linear(width, 2 * width, bias=False)
        self.recur = nn.Linear(width, width, bias=False)

    def advance(self, state: State, drive: Float[Tensor, "batch gates"]) -> State:
        hidden, width = state["hidden"], self.features
        gates, candidate = drive.split([2 * width, width], -1)
        reset, update = torch.sigmoid(gates + self.gates(hidden)).chunk(2, -1)
        candidate = torch.tanh(candidate + self.recur(reset * hidden))
        return {"hidden": (1 - update) * hidden + update * candidate}
