"""Long short-term memory whose cell feeds its gates."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from forecaster.cells.stepwise import Stepwise
from forecaster.state import State


class PeepholeLSTM(Stepwise):
    """LSTM with peepholes: the gates see the cell (Gers and Schmidhuber 2000, "Recurrent nets that time and count").

    i, f = sigma(W h + U x + b + p * cell), g = tanh(W h + U x + b), cell = f * cell + i * g,
    o = sigma(W h + U x + b + p * cell), h = o * tanh(cell), where o sees the new cell.
    It starts as an LSTM: no gate looks yet (p = 0), and the forget gate is open (bias 1).
    """

    name = "peephole_lstm"
    vectors = ("hidden", "cell")

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, gates=4)
        self.recur = nn.Linear(width, 4 * width, bias=False)
        self.peep = nn.Parameter(torch.zeros(3, width))
        nn.init.ones_(self.drive.bias.data[width : 2 * width])

    def advance(self, state: State, drive: Float[Tensor, "batch gates"]) -> State:
        i, f, o, g = (drive + self.recur(state["hidden"])).chunk(4, -1)
        see_i, see_f, see_o = self.peep
        enter = torch.sigmoid(i + see_i * state["cell"])
        forget = torch.sigmoid(f + see_f * state["cell"])
        cell = forget * state["cell"] + enter * torch.tanh(g)
        return {"hidden": torch.sigmoid(o + see_o * cell) * torch.tanh(cell), "cell": cell}


class CoupledLSTM(Stepwise):
    """LSTM with peepholes in which what is forgotten is what enters, i = 1 - f (Greff et al. 2017, "CIFG").

    f = sigma(W h + U x + b + p * cell), g = tanh(W h + U x + b), cell = f * cell + (1 - f) * g,
    o = sigma(W h + U x + b + p * cell), h = o * tanh(cell), where o sees the new cell. It starts as `peephole_lstm`
    does; the cell stays between -1 and 1.
    """

    name = "coupled_lstm"
    vectors = ("hidden", "cell")

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width, gates=3)
        self.recur = nn.Linear(width, 3 * width, bias=False)
        self.peep = nn.Parameter(torch.zeros(2, width))
        nn.init.ones_(self.drive.bias.data[:width])

    def advance(self, state: State, drive: Float[Tensor, "batch gates"]) -> State:
        f, o, g = (drive + self.recur(state["hidden"])).chunk(3, -1)
        see_f, see_o = self.peep
        forget = torch.sigmoid(f + see_f * state["cell"])
        cell = forget * state["cell"] + (1 - forget) * torch.tanh(g)
        return {"hidden": torch.sigmoid(o + see_o * cell) * torch.tanh(cell), "cell": cell}
