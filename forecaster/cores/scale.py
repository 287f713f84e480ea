"""Level and scale of a series, smoothed causally, so that they can be carried from one observation to the next."""

import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.state import State, transform

BOUND = 1e4
"""Farthest that a value can lie from the level, in units of the scale."""
MOST = 3.0
"""Units of a series that an error of one scale counts as at most: an outburst should not be all that is learned."""


class Smoothing(Core):
    """Exponential smoothing of the level and of the absolute deviation from it, with a learned rate.

    One step reads a segment of `width` observations in float64, NaN where missing, and gives (level, scale, weight). It
    is a `Core`, though without a network: the state of a series holds its scale, and a chunk goes on where the last
    ended. The rate is weighted by the share of the segment that was observed, so a gap changes nothing, and the weights
    are those of what was seen (as in Adam), so a start from nothing has no bias. A single observation tells no
    deviation: to it belongs a learned share of the series' size, a prior that each further observation divides by four.
    The weight says from 0 to 1 how much of the smoothing has been filled, that is how far to trust the other two. All
    operations are linear in the values, so a series times a power of two has exactly that multiple as level and scale.
    (Holt 1957; as the scale of a network: Smyl 2020, "A hybrid method of exponential smoothing and recurrent neural
    networks".)
    """

    def __init__(self, width: int, relative: bool = True) -> None:
        super().__init__()
        self.relative = relative
        self.inputs = width
        self.features = 3
        self.rate = nn.Parameter(torch.tensor(-1.1))
        """Logit of the smoothing rate; starts at 0.25."""
        self.prior = nn.Parameter(torch.tensor(-0.6))
        """Logarithm of scale / size before anything was seen."""

    def size(self, level: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
        """What a deviation is large or small against: the level, but one where the series is of logarithms."""
        return level.abs() if self.relative else torch.ones_like(level)

    def initial(self, batch: int) -> State:
        zeros = torch.zeros(batch, dtype=torch.float64, device=self.rate.device)
        return {"weight": zeros, "level": zeros.clone(), "deviation": zeros.clone(), "doubt": zeros + 1}

    def scan(
        self, state: State, xs: Float64[Tensor, "batch time inputs"]
    ) -> tuple[State, Float64[Tensor, "batch time features"]]:
        observed = ~xs.isnan()
        count = observed.sum(-1).double()
        values = torch.where(observed, xs, 0.0)
        share = torch.sigmoid(self.rate.double()) * count / self.inputs
        count = count.clamp(min=1)
        mean = (values / count.unsqueeze(-1)).sum(-1)  # divided first: a sum of values near 1e308 would overflow

        weight = recurrence(1 - share, share, state["weight"])
        gain = share / torch.where(weight > 0, weight, 1.0)
        level = recurrence(1 - gain, gain * mean, state["level"])
        distance = torch.where(observed, (values - level.unsqueeze(-1)).abs(), 0.0)
        distance = (distance / count.unsqueeze(-1)).sum(-1)
        deviation = recurrence(1 - gain, gain * distance, state["deviation"])

        doubt = state["doubt"].unsqueeze(1) * 0.25 ** observed.sum(-1).cumsum(1)
        scale = deviation + doubt * self.prior.double().exp() * self.size(level)
        scale = moving(scale, level)
        every = {"weight": weight, "level": level, "deviation": deviation, "doubt": doubt}
        return transform(lambda values: values[:, -1], every), torch.stack([level, scale, weight], -1)


def moving(scale: Float64[Tensor, "*shape"], level: Float64[Tensor, "*shape"]) -> Float64[Tensor, "*shape"]:
    """The scale, or zero where it is no larger than rounding makes it at such a level: the series does not move."""
    return torch.where(scale > (1e-14 * level.abs()).clamp(min=2.0**-1000), scale, 0.0)


def recurrence(
    keep: Float64[Tensor, "batch time"], add: Float64[Tensor, "batch time"], before: Float64[Tensor, "batch"]
) -> Float64[Tensor, "batch time"]:
    """x_n = keep_n x_{n-1} + add_n from x_{-1} = `before`, in log2(time) passes instead of a loop over the steps.

    Two steps of this kind one after the other are one of this kind, so each pass makes every step reach back twice as
    far (Hillis and Steele 1986, "Data parallel algorithms").
    """
    add = torch.cat([add[:, :1] + keep[:, :1] * before.unsqueeze(1), add[:, 1:]], 1)
    apart = 1
    while apart < add.shape[1]:
        add = add + keep * nn.functional.pad(add[:, :-apart], (apart, 0))
        keep = keep * nn.functional.pad(keep[:, :-apart], (apart, 0))
        apart *= 2
    return add


def normalise(
    x: Float64[Tensor, "*shape"], level: Float64[Tensor, "*#shape"], scale: Float64[Tensor, "*#shape"]
) -> Float[Tensor, "*shape"]:
    """(x - level) / scale in float32, bounded; zero where the scale is zero, NaN where x is."""
    distance = torch.where(x.isnan(), level, x) - level  # a NaN here would poison the gradient of level and scale
    near = distance.abs() < BOUND * scale  # and so would a quotient that overflows before it is bounded
    z = torch.where(near, distance, 0.0) / torch.where(near, scale, 1.0)
    far = torch.where(scale > 0, BOUND * distance.sign(), 0.0)
    return torch.where(x.isnan(), torch.nan, torch.where(near, z, far).float())


def worth(
    scale: Float64[Tensor, "batch *steps"],
    level: Float64[Tensor, "batch *steps"],
    unit: Float64[Tensor, "batch"],
    relative: bool,
) -> Float[Tensor, "batch *steps"]:
    """How many units of its series an error of one scale counts as, at most `MOST`, and one where there is no unit.

    It has no gradient. Where a series is of logarithms (not `relative`), the unit is that of what they were taken of.
    """
    one = scale if relative else scale * level.exp()
    units = (one / unit.view(-1, *[1] * (scale.dim() - 1))).clamp(max=MOST).detach()
    return torch.where(units.isnan(), 1.0, units).float()
