"""Many to many: a distribution at every step of a window, from what is known before it and after it."""

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from forecaster.batch import Batch, Forecast
from forecaster.cores.encoder import Encoder
from forecaster.head import Anchor, Head
from forecaster.learner import Learner
from forecaster.parallel import mean_loss
from forecaster.quantiles import LEVELS
from forecaster.state import State


class Filler(Learner):
    """Fills gaps in series that are in units of their own level and scale, as a batch of windows has them.

    Its first `guesses` known covariates are simple interpolations. A softmax of the features says how much of each
    makes the centre, and the head gives the distribution around it. Of a batch, `target` is what the encoder may see
    and `future` what was hidden from it at the same steps. What lies outside a series is missing, as a gap is. A window
    stands alone, so the carry is empty.
    """

    stride = 1

    def __init__(self, encoder: Encoder, head: Head, *, guesses: int, known: int) -> None:
        super().__init__()
        self.encoder, self.head, self.guesses = encoder, head, guesses
        self.input = nn.Linear(2 + guesses + known, encoder.inputs)
        self.output = nn.Linear(encoder.features, guesses + head.width)
        nn.init.zeros_(self.output.weight)  # training starts from the mean of the guesses
        nn.init.zeros_(self.output.bias)

    def start(self, lanes: int, stride: int = 1) -> State:  # noqa: ARG002
        return {}

    def loss(self, carry: State, batch: Batch) -> tuple[State, Float32[Tensor, ""]]:
        raw, anchor = self._read(batch)
        hidden = ~batch.future.isnan()
        losses = self.head.loss(raw, torch.where(hidden, batch.future, 0.0), anchor)
        return carry, mean_loss(torch.where(hidden, losses, 0.0), hidden)

    def fill(self, batch: Batch) -> Forecast:
        """The distribution at every step of the windows."""
        raw, anchor = self._read(batch)
        return Forecast(LEVELS, self.head.quantile(raw, LEVELS, anchor), self.head.mean(raw, anchor))

    def _read(self, batch: Batch) -> tuple[Float32[Tensor, "batch time width"], Anchor]:
        seen = ~batch.target.isnan()
        inputs = torch.cat([batch.target.nan_to_num().float().unsqueeze(-1), seen.unsqueeze(-1), batch.known], -1)
        begin = torch.zeros(len(seen), dtype=torch.int64, device=seen.device)
        _, features = self.encoder.encode(self.input(inputs), begin)
        shares, raw = self.output(features).float().split([self.guesses, self.head.width], -1)
        centre = (shares.softmax(-1) * batch.known[..., : self.guesses]).sum(-1)
        zeros = torch.zeros_like(batch.target)
        return raw, Anchor(zeros, zeros + 1, centre)
