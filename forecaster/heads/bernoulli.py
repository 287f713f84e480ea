"""Binary targets."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn.functional import softplus

from forecaster.head import Anchor, Head
from forecaster.support import BINARY


class Bernoulli(Head):
    """0 or 1, trained by the log loss; the mean is the probability of 1, which the quantiles tell only coarsely.

    Raw outputs add to the logit of the centre, the share of ones as it was smoothed and seen a season before.
    """

    name = "bernoulli"
    width = 1
    support = BINARY

    def _logit(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Float64[Tensor, "*shape"]:
        return raw[..., 0].double() + torch.logit(anchor.level + anchor.scale * anchor.centre, eps=0.01)

    def loss(
        self, raw: Float[Tensor, "*shape width"], y: Float64[Tensor, "*shape"], anchor: Anchor
    ) -> Float[Tensor, "*shape"]:
        logit = self._logit(raw, anchor)
        return (softplus(logit) - y.clamp(0, 1) * logit).float()

    def quantile(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...], anchor: Anchor
    ) -> Float64[Tensor, "*shape levels"]:
        zero = torch.sigmoid(-self._logit(raw, anchor)).unsqueeze(-1)
        return (torch.tensor(levels, dtype=torch.float64, device=raw.device) > zero).double()

    def mean(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Float64[Tensor, "*shape"]:
        return torch.sigmoid(self._logit(raw, anchor))
