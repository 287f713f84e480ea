"""Distribution functions that torch lacks, in float64."""

import torch
from jaxtyping import Float64
from torch import Tensor

TINY = 1e-300


def betainc(
    a: Float64[Tensor, "*#shape"], b: Float64[Tensor, "*#shape"], x: Float64[Tensor, "*#shape"]
) -> Float64[Tensor, "*shape"]:
    """The regularised incomplete beta function I_x(a, b), by the modified Lentz method.

    Its continued fraction converges in about sqrt(max(a, b)) terms on the side of the mean, and the other side is
    1 - I_{1-x}(b, a) (Press et al. 2007, "Numerical Recipes", section 6.4; DLMF 8.17.22).
    """
    a, b, x = torch.broadcast_tensors(a, b, x)
    front = (a + b).lgamma() - a.lgamma() - b.lgamma() + torch.xlogy(a, x) + torch.special.xlog1py(b, -x)
    above = x > (a + 1) / (a + b + 2)
    a, b, x = torch.where(above, b, a), torch.where(above, a, b), torch.where(above, 1 - x, x)
    c = torch.ones_like(x)
    d = 1 / _away(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 500):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d, c = 1 / _away(1 + term * d), _away(1 + term / c)
            fraction = fraction * d * c
        if ((d * c - 1).abs() < 1e-14).all():
            break
    inside = front.exp() * fraction / a
    return torch.where(above, 1 - inside, inside).clamp(0, 1)


def _away(value: Tensor) -> Tensor:
    """The value, kept away from zero."""
    return torch.where(value.abs() < TINY, TINY, value)


class Nodes:
    """Places from `low` to `high` at which a smooth function is tabulated, and the polynomial through them.

    Chebyshev's nodes in barycentric form (Berrut and Trefethen 2004): the error falls geometrically in their number.
    """

    def __init__(self, low: float, high: float, count: int) -> None:
        angle = (torch.arange(count, dtype=torch.float64) + 0.5) * torch.pi / count
        self.places = (low + high) / 2 - (high - low) / 2 * torch.cos(angle)
        self.factors = (-1.0) ** torch.arange(count) * torch.sin(angle)

    def read(
        self, table: Float64[Tensor, "nodes columns"], at: Float64[Tensor, "*shape"]
    ) -> Float64[Tensor, "*shape columns"]:
        """Each column of the table, a function of the nodes, read at places between `low` and `high`."""
        distance = at.unsqueeze(-1) - self.places.to(at)
        weights = self.factors.to(at) / torch.where(distance == 0, TINY, distance)
        return weights / weights.sum(-1, keepdim=True) @ table.to(at)
