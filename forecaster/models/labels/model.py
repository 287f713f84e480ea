"""The contract of every model of labels: p(next | all before), and paths drawn from it one step at a time."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from forecaster.batch import Batch, Chances
from forecaster.model import Carry, Model
from forecaster.parallel import mean_loss
from forecaster.state import repeat

PATHS = 64
"""Paths over which the probabilities beyond the next step are averaged."""
COLDEST = 1e-12
"""The temperature that stands for zero."""


class LabelModel(Model):
    """A series of labels: the target holds codes from 0; NaN is a gap, and any other code an unknown label.

    A model says one thing only, the logits of the next step. All else is drawn from it: p(y_1 ... y_h) is the product
    of p(y_k | all before) (the chain rule), so a joint path is drawn step by step, each draw observed before the next.
    The probability of a label at step k is the mean of p(y_k | path) over paths, not their count: it is exact at the
    first step, never zero, and as a conditional expectation has the smaller variance (Rao and Blackwell). With it any
    horizon is the same, and probabilities and paths are one distribution.

    After the label `end` nothing comes: it is certain for ever.
    """

    horizon = 1
    stride = 1
    labels: int
    """Size of the vocabulary."""
    end: int | None
    """Code of the label that ends a series, if one does."""

    @abstractmethod
    def logits(self, carry: Carry, known: Float32[Tensor, "batch known"]) -> Float[Tensor, "batch labels"]:
        """Unnormalised logarithms of the probabilities of the next step, whose covariates are given."""

    @final
    def forecast(
        self, carry: Carry, horizon: int, known: Float32[Tensor, "batch horizon known"] | None = None
    ) -> Chances:
        """The probabilities of the next `horizon` steps, as a fork: the carry stays as it was.

        The same carry always has the same forecast, whatever is forecast beside it: all lanes follow the same
        `PATHS` points, which are spread evenly at each step (a Latin hypercube, McKay et al. 1979).
        """
        fixed = torch.Generator().manual_seed(0)
        even = (torch.arange(PATHS, dtype=torch.float64) + 0.5) / PATHS
        points = torch.stack([even[torch.randperm(PATHS, generator=fixed)] for _ in range(horizon)], 1)
        rolled = self._roll(carry, points.expand(len(carry["last.static"]), -1, -1), known)
        return Chances(torch.stack([chances.mean(1) for _, chances in rolled], 1))

    @final
    def paths(
        self,
        carry: Carry,
        horizon: int,
        known: Float32[Tensor, "batch horizon known"] | None = None,
        *,
        count: int,
        temperature: float = 1.0,
        generator: torch.Generator,
    ) -> Int64[Tensor, "batch count horizon"]:
        """`count` joint paths of codes for each lane, drawn independently; the same generator gives the same ones.

        Logits are divided by the `temperature` before each draw: below 1 the likely becomes likelier, and at 0 each
        step is the likeliest label. A path that has reached the label `end` stays there.
        """
        points = torch.rand(len(carry["last.static"]), count, horizon, dtype=torch.float64, generator=generator)
        return torch.stack([codes for codes, _ in self._roll(carry, points, known, temperature)], 2)

    def _roll(
        self,
        carry: Carry,
        points: Float64[Tensor, "batch paths horizon"],
        known: Float32[Tensor, "batch horizon known"] | None,
        temperature: float = 1.0,
    ) -> Iterator[tuple[Int64[Tensor, "batch paths"], Float64[Tensor, "batch paths labels"]]]:
        """Step by step the codes at the given points of the distribution functions, and the probabilities of each."""
        lanes, paths, horizon = points.shape
        carry, at = repeat(carry, paths), points.to(carry["last.static"].device).flatten(0, 1)
        if known is None:
            known = at.new_zeros(lanes, horizon, 0, dtype=torch.float32)
        for step in range(horizon):
            ahead = known[:, step].repeat_interleave(paths, dim=0)
            chances = self._chances(carry, ahead, temperature)
            codes = (chances.cumsum(-1) < at[:, step, None]).sum(-1).clamp(max=self.labels - 1)
            yield torch.unflatten(codes, 0, (lanes, paths)), torch.unflatten(chances, 0, (lanes, paths))
            if step < horizon - 1:
                carry = self.observe(carry, self._drawn(carry, codes, ahead))

    def _chances(
        self, carry: Carry, known: Float32[Tensor, "batch known"], temperature: float
    ) -> Float64[Tensor, "batch labels"]:
        chances = (self.logits(carry, known).double() / max(temperature, COLDEST)).softmax(-1)
        if self.end is None:
            return chances
        certain = torch.arange(self.labels, device=chances.device) == self.end
        ended = carry["last.target"][:, -1:] == self.end
        return torch.where(ended, certain.double(), chances)

    def _drawn(self, carry: Carry, code: Int64[Tensor, "batch"], known: Float32[Tensor, "batch known"]) -> Batch:
        """A drawn label as an observation."""
        return Batch.imagined(code.double().unsqueeze(1), known.unsqueeze(1), carry["last.static"], self.past)


def cross_entropy(
    logits: Float[Tensor, "batch steps labels"], target: Float64[Tensor, "batch steps"]
) -> Float32[Tensor, ""]:
    """Mean of -log p(label) over the steps whose label is known; zero where none is."""
    counts = (target >= 0) & (target < logits.shape[-1])  # NaN is neither
    codes = torch.where(counts, target, 0.0).long()
    losses = torch.nn.functional.cross_entropy(logits.float().transpose(1, 2), codes, reduction="none")
    return mean_loss(torch.where(counts, losses, 0.0), counts)
