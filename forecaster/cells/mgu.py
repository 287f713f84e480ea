"""The minimal gated unit."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from forecaster.cells.stepwise import Stepwise
from forecaster.state import State


class MGU(Stepwise):
    """Minimal gated unit: one gate both forgets and lets in (Zhou et al. 2016, equations 5 to 7).

    f = sigma(W_f h + U_f x + b_f), candidate = tanh(W (f * h) + U x + b), h = (1 - f) * h + f * candidate.
    Two thirds of the weights of a GRU.
    """

    name = "mgu"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, gates=2)
        self.gate = nn.Linear(width, width, bias=False)
        self.recur = nn.Linear(width, width, bias=False)

    def advance(self, state: State, drive: Float[Tensor, "batch gates"]) -> State:
        hidden = state["hidden"]
        gate, candidate = drive.chunk(2, -1)
        forget = torch.sigmoid(gate + self.gate(hidden))
        candidate = torch.tanh(candidate + self.recur(forget * hidden))
        return {"hidden": (1 - forget) * hidden + forget * candidate}
