"""Models of labels that are counted, not trained: what a network has to beat."""

import torch
from jaxtyping import Float32, Float64
from torch import Tensor, nn

from forecaster.batch import Batch
from forecaster.gaps import fill_forward, tokens
from forecaster.model import Carry
from forecaster.models.labels.model import LabelModel, cross_entropy
from forecaster.state import afresh


class LabelCounts(LabelModel):
    """How often each label follows: any (order 0, the frequencies) or the last one (order 1, a Markov chain).

    Its weights are counts, in closed form (`pipelines.training.baselines`): p(b | a) = (n_ab + 1) / (n_a + labels),
    Laplace's rule of succession. The last known label stands for those after it that are not known.
    """

    def __init__(self, *, labels: int, order: int, end: int | None = None, past: int = 0) -> None:
        super().__init__()
        self.labels, self.order, self.end, self.past = labels, order, end, past
        self.follow = nn.Parameter(torch.zeros(labels + 1, labels), requires_grad=False)
        """Logarithms of probabilities: a row by the last label, the last row where none was known yet."""

    def count(self, before: Float64[Tensor, "pairs"], after: Float64[Tensor, "pairs"]) -> None:
        """Learn from all pairs of neighbours, of which codes outside the vocabulary are left out."""
        known = (after >= 0) & (after < self.labels)
        pairs = tokens(after[known], self.labels)
        total = pairs.sum(0)
        from_each = torch.stack([pairs[before[known] == label].sum(0) for label in range(self.labels)])
        counts = torch.cat([from_each if self.order else total.expand(self.labels, -1), total[None]]) + 1
        with torch.no_grad():
            self.follow.copy_((counts / counts.sum(1, keepdim=True)).log())

    def start(self, lanes: int, stride: int = 1) -> Carry:  # noqa: ARG002
        return {
            "last.target": self.follow.new_full((lanes, 1), torch.nan, dtype=torch.float64),
            "last.static": self.follow.new_zeros(lanes, 0, dtype=torch.int64),
        }

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        return self._read(carry, batch)[0]

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        after, latest = self._read(carry, batch)
        following = torch.cat([batch.target, batch.future], 1)[:, 1 : latest.shape[1] + 1]
        return after, cross_entropy(self.follow[self._row(latest)], following)

    def logits(self, carry: Carry, known: Float32[Tensor, "batch known"]) -> Float32[Tensor, "batch labels"]:  # noqa: ARG002
        return self.follow[self._row(carry["last.target"][:, 0])]

    def _read(self, carry: Carry, batch: Batch) -> tuple[Carry, Float64[Tensor, "batch time"]]:
        """The carry after a batch, and the last known label by each of its steps."""
        carry = afresh(carry, batch.reset, self.start)
        target = torch.where(batch.target < self.labels, batch.target, torch.nan)
        latest = fill_forward(torch.cat([carry["last.target"], target], 1))
        return carry | {"last.target": latest[:, -1:]}, latest[:, 1:]

    def _row(self, codes: Tensor) -> Tensor:
        return torch.where(codes.isnan(), self.labels, codes).long()
