"""Single-layer recurrent cells on torch's fused kernels (cuDNN on a GPU, oneDNN on a CPU)."""

from jaxtyping import Float
from torch import Tensor, nn

from forecaster.core import Cell
from forecaster.state import State


class _Fused(Cell):
    """What the fused cells share."""

    rnn: nn.RNNBase

    def zeros(self, batch: int) -> Float[Tensor, "batch features"]:
        return self.rnn.get_parameter("weight_hh_l0").new_zeros(batch, self.features)

    @staticmethod
    def layer(part: Float[Tensor, "batch features"]) -> Float[Tensor, "1 batch features"]:
        """A part of the state as torch wants it: one layer, and contiguous, which cuDNN insists on."""
        return part.unsqueeze(0).contiguous()


class _Hidden(_Fused):
    """Cells whose whole state is the hidden vector."""

    def initial(self, batch: int) -> State:
        return {"hidden": self.zeros(batch)}

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        features, hidden = self.rnn(xs, self.layer(state["hidden"]))
        return {"hidden": hidden.squeeze(0)}, features


class Elman(_Hidden):
    """Simple recurrent network, h_t = tanh(W h_{t-1} + U x_t + b) (Elman 1990, "Finding structure in time")."""

    name = "elman"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.rnn = nn.RNN(inputs, width, batch_first=True)


class GRU(_Hidden):
    """Gated recurrent unit (Cho et al. 2014), in the form of cuDNN.

    r = sigma(W_r h + U_r x + b_r), u = sigma(W_u h + U_u x + b_u),
    candidate = tanh(r * (W h + c) + U x + b), h = (1 - u) * candidate + u * h.
    The reset gate multiplies the product W h, and u is the share that is kept; in the paper, which is `gru_before`,
    the reset gate multiplies h before the product, and u is the share that is renewed.
    """

    name = "gru"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.rnn = nn.GRU(inputs, width, batch_first=True)


class LSTM(_Fused):
    """Long short-term memory (Hochreiter and Schmidhuber 1997) with forget gate (Gers et al. 2000).

    i, f, o = sigma(W h + U x + b), g = tanh(W h + U x + b), cell = f * cell + i * g, h = o * tanh(cell).
    The forget gate starts open (bias 1; Jozefowicz et al. 2015).
    """

    name = "lstm"

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(inputs, width)
        self.rnn = nn.LSTM(inputs, width, batch_first=True)
        nn.init.ones_(self.rnn.get_parameter("bias_ih_l0").data[width : 2 * width])  # torch orders the gates i, f, g, o

    def initial(self, batch: int) -> State:
        return {"hidden": self.zeros(batch), "cell": self.zeros(batch)}

    def scan(
        self, state: State, xs: Float[Tensor, "batch time inputs"]
    ) -> tuple[State, Float[Tensor, "batch time features"]]:
        before = self.layer(state["hidden"]), self.layer(state["cell"])
        features, (hidden, cell) = self.rnn(xs, before)
        return {"hidden": hidden.squeeze(0), "cell": cell.squeeze(0)}, features
