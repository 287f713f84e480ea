"""Student's t distribution."""

from functools import cache

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.distributions import StudentT as Student
from torch.nn.functional import softplus

from forecaster.head import Standard
from forecaster.special import Nodes, betainc

NODES = Nodes(0.02, 0.98, 32)
"""Of 2 / freedom."""


class StudentT(Standard):
    """Student's t distribution for heavy tails, with 2.04 to 100 degrees of freedom, trained by its likelihood."""

    name = "student_t"
    width = 3

    def _student(self, raw: Float[Tensor, "*shape width"]) -> tuple[Tensor, Tensor, Tensor]:
        """Mean, unit, and 2 / freedom."""
        return raw[..., 0], softplus(raw[..., 1]) + 1e-4, 0.02 + 0.96 * torch.sigmoid(raw[..., 2])

    def score(self, raw: Float[Tensor, "*shape width"], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        mean, unit, share = self._student(raw)
        likelihood: Tensor = Student(2 / share, mean, unit, validate_args=False).log_prob(z)
        return -likelihood

    def quantiles(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]
    ) -> Float[Tensor, "*shape levels"]:
        mean, unit, share = self._student(raw)
        standard = NODES.read(student_quantiles(levels), share.double())
        return (mean.unsqueeze(-1) + unit.unsqueeze(-1) * standard.to(raw)).cummax(-1).values

    def expectation(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        return raw[..., 0]


@cache
def student_quantiles(levels: tuple[float, ...]) -> Float64[Tensor, "nodes levels"]:
    """Quantiles at each of the `NODES`, by Newton's method in the upper tail.

    The tail is convex and heavier than the normal's, so from the normal quantile on each step comes nearer.
    """
    freedom, level = 2 / NODES.places[:, None], torch.tensor(levels, dtype=torch.float64)
    tail, half = torch.minimum(level, 1 - level), torch.full_like(freedom, 0.5)
    quantile = -torch.special.ndtri(tail).expand(len(freedom), -1)
    for _ in range(40):
        beyond = betainc(freedom / 2, half, freedom / (freedom + quantile.square())) / 2
        step = (beyond - tail) / Student(freedom).log_prob(quantile).exp()
        quantile = quantile + step
        if (step.abs() <= 1e-12 * quantile).all():
            break
    return torch.where(level < 0.5, -quantile, quantile)
