"""The contract of every head: from raw outputs of a network to a distribution. It knows neither core nor trainer."""

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple, final

from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from forecaster.cores.scale import normalise
from forecaster.support import REAL, Support


class Anchor(NamedTuple):
    """What the raw outputs of a network are relative to."""

    level: Float64[Tensor, "*#shape"]
    """Of the series, as it was smoothed up to the origin of the forecast."""
    scale: Float64[Tensor, "*#shape"]
    """Typical distance from the level; 0 where the series has not moved."""
    centre: Float32[Tensor, "*#shape"]
    """Where the seasons expect the value: level + scale * centre."""


class Head(nn.Module, ABC):
    """A distribution family. The contract in `tests/laws.py`: a proper loss, quantiles that never cross."""

    name: ClassVar[str]
    """By which a recipe chooses it."""
    support: ClassVar[Support]
    """The values that it gives a probability to."""
    homogeneous: ClassVar[bool] = False
    """Whether its loss is in units of the scale, as an error is, and not in nats."""
    width: int
    """How many raw outputs describe one value; all zero, they mean a distribution around the centre of the anchor."""

    @abstractmethod
    def loss(
        self, raw: Float[Tensor, "*shape width"], y: Float64[Tensor, "*shape"], anchor: Anchor
    ) -> Float[Tensor, "*shape"]:
        """A proper score of each value; lower is better."""

    @abstractmethod
    def quantile(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...], anchor: Anchor
    ) -> Float64[Tensor, "*shape levels"]:
        """Quantiles at the given levels (ascending), non-decreasing along them."""

    @abstractmethod
    def mean(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Float64[Tensor, "*shape"]:
        """The expectation."""


class Standard(Head):
    """A location-scale family: it works on z, where the value is level + scale * (centre + z)."""

    support = REAL

    @abstractmethod
    def score(self, raw: Float[Tensor, "*shape width"], z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The loss of each z."""

    @abstractmethod
    def quantiles(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...]
    ) -> Float[Tensor, "*shape levels"]:
        """Quantiles of z."""

    @abstractmethod
    def expectation(self, raw: Float[Tensor, "*shape width"]) -> Float[Tensor, "*shape"]:
        """The expectation of z."""

    @final
    def loss(
        self, raw: Float[Tensor, "*shape width"], y: Float64[Tensor, "*shape"], anchor: Anchor
    ) -> Float[Tensor, "*shape"]:
        return self.score(raw, normalise(y, anchor.level, anchor.scale) - anchor.centre)

    @final
    def quantile(
        self, raw: Float[Tensor, "*shape width"], levels: tuple[float, ...], anchor: Anchor
    ) -> Float64[Tensor, "*shape levels"]:
        z = self.quantiles(raw, levels) + anchor.centre.unsqueeze(-1)
        return anchor.level.unsqueeze(-1) + anchor.scale.unsqueeze(-1) * z.double()

    @final
    def mean(self, raw: Float[Tensor, "*shape width"], anchor: Anchor) -> Float64[Tensor, "*shape"]:
        return anchor.level + anchor.scale * (self.expectation(raw) + anchor.centre).double()
