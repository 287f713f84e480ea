"""Models of positive series that see their logarithms."""

import math
from dataclasses import replace
from typing import final

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from forecaster.batch import Batch, Forecast
from forecaster.model import Carry, Numeric
from forecaster.quantiles import LEVELS, interpolate
from forecaster.support import ABOVE_ZERO, REAL, Support

REACH = 100
"""A block of steps can forecast so many times the largest value of the series so far: exponentials run away."""
LARGEST = 2.0**1000
"""No forecast is larger; the rest of the range is left to arithmetic with it."""
_EVENLY = tuple((k + 0.5) / 50 for k in range(50))


@final
class Logarithm(Numeric):
    """A model of the logarithm of a series; a value that is not positive has none and is a gap to it.

    Relative errors count then, seasons multiply, and no forecast is negative (as in Smyl 2020). Quantiles go through
    the exponential as they are. The logarithm is that of the value over a power of two, the one next below the first
    value of the series, which the carry keeps: so a series times a power of two is the same to the inner model.
    """

    support = REAL

    def __init__(self, inner: Numeric) -> None:
        super().__init__()
        self.inner = inner
        self.horizon, self.stride, self.apart, self.past = inner.horizon, inner.stride, inner.apart, inner.past

    @property
    def domain(self) -> Support:
        return ABOVE_ZERO

    def start(self, lanes: int, stride: int = 1) -> Carry:
        carry = self.inner.start(lanes, stride)
        unknown = torch.full((lanes,), torch.nan, dtype=torch.float64, device=carry["last.static"].device)
        return carry | {"log.exponent": unknown, "log.largest": torch.full_like(unknown, -torch.inf)}

    def observe(self, carry: Carry, batch: Batch) -> Carry:
        carry, own, logarithms = self._read(carry, batch)
        return self.inner.observe(carry, logarithms) | own

    def loss(self, carry: Carry, batch: Batch) -> tuple[Carry, Float32[Tensor, ""]]:
        """The loss of the inner model: on logarithms, in the unit of the series if it reads that."""
        carry, own, logarithms = self._read(carry, batch)
        after, loss = self.inner.loss(carry, logarithms)
        return after | own, loss

    def block(self, carry: Carry, known: Float32[Tensor, "batch horizon known"]) -> Forecast:
        block, exponent = self.inner.block(_inner(carry), known), carry["log.exponent"]
        most = carry["log.largest"][:, None, None] + math.log(REACH)
        many = torch.minimum(interpolate(block.quantiles, LEVELS, _EVENLY), most)
        mean = (_exponential(many, exponent) / len(_EVENLY)).sum(-1)
        return Forecast(LEVELS, _exponential(torch.minimum(block.quantiles, most), exponent), mean)

    def _read(self, carry: Carry, batch: Batch) -> tuple[Carry, Carry, Batch]:
        """The inner carry, what is beside it after the batch, and the batch in logarithms."""
        exponent = torch.where(batch.reset, torch.nan, carry["log.exponent"])
        known = batch.target > 0
        first = batch.target.gather(1, known.byte().argmax(1, keepdim=True)).squeeze(1)
        begins = exponent.isnan() & known.any(1)
        exponent = torch.where(begins, torch.frexp(first).exponent.double() - 1, exponent)
        target, future = (_logarithm(values, exponent) for values in (batch.target, batch.future))
        before = torch.where(batch.reset, -torch.inf, carry["log.largest"])
        largest = torch.maximum(before, torch.where(known, target, -torch.inf).amax(1).detach())
        own = {"log.exponent": exponent, "log.largest": largest}
        unit = torch.ldexp(batch.unit, -exponent.nan_to_num())
        return _inner(carry), own, replace(batch, target=target, future=future, unit=unit)


def _inner(carry: Carry) -> Carry:
    return {name: value for name, value in carry.items() if not name.startswith("log.")}


def _logarithm(
    values: Float64[Tensor, "batch time"], exponent: Float64[Tensor, "batch"]
) -> Float64[Tensor, "batch time"]:
    """log(value / 2^exponent), NaN where the value is not positive."""
    mantissa, power = torch.frexp(torch.where(values > 0, values, 1.0))
    logarithm = mantissa.log() + (power - exponent.nan_to_num().unsqueeze(1)) * math.log(2)
    return torch.where(values > 0, logarithm, torch.nan)


def _exponential(
    values: Float64[Tensor, "batch *steps"], exponent: Float64[Tensor, "batch"]
) -> Float64[Tensor, "batch *steps"]:
    """2^exponent * exp(value), at most `LARGEST`; 0 where nothing was observed yet."""
    two = exponent.view(-1, *[1] * (values.dim() - 1))
    power = (values / math.log(2)).floor()
    fraction = (values - power * math.log(2)).exp()
    power = (power + two.nan_to_num()).clamp(-2000, 1023)
    half = (power / 2).floor()  # 2^power can be out of range where its product is not
    result = torch.ldexp(torch.ldexp(fraction, half), power - half).clamp(max=LARGEST)
    return torch.where(two.isnan(), 0.0, result)
