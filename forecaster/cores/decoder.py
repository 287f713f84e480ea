"""From what a model has read to the raw outputs of its head: all steps at once, or one segment after the other."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from forecaster.core import Core
from forecaster.state import State


class Decoder(nn.Module, ABC):
    """One to many: features at an origin to raw outputs of the head for each of the steps after it.

    With all weights as they start, the outputs are zero: training begins at the forecast of the seasons. Covariates
    known ahead move no step before their own.
    """

    @abstractmethod
    def decode(
        self,
        features: Float[Tensor, "batch steps features"],
        lagged: Float32[Tensor, "batch steps seasons horizon"],
        known: Float32[Tensor, "batch steps horizon known"],
    ) -> Float32[Tensor, "batch steps horizon width"]:
        """From each origin, with what every season says of the steps ahead and the covariates that are known there."""


class Direct(Decoder):
    """Every step ahead by its own linear map of the features."""

    def __init__(self, features: int, *, horizon: int, width: int) -> None:
        super().__init__()
        self.horizon, self.width = horizon, width
        self.output = silent(features, horizon * width)

    def decode(
        self,
        features: Float[Tensor, "batch steps features"],
        lagged: Float32[Tensor, "batch steps seasons horizon"],  # noqa: ARG002
        known: Float32[Tensor, "batch steps horizon known"],  # noqa: ARG002
    ) -> Float32[Tensor, "batch steps horizon width"]:
        return torch.unflatten(self.output(features).float(), -1, (self.horizon, self.width))


class Unrolled(Decoder):
    """A second core that starts from what the first one has read and steps over the horizon, a segment at a time.

    The encoder-decoder or sequence-to-sequence network (Cho et al. 2014; Sutskever et al. 2014): the decoder's first
    state is tanh(V c) of the features c. At each segment it reads what the seasons say of it and the covariates of
    the segment before, so that a holiday may have an effect on the days that follow it.
    """

    def __init__(
        self, features: int, core: Core, *, horizon: int, width: int, stride: int, seasons: int, known: int
    ) -> None:
        super().__init__()
        self.horizon, self.width, self.stride = horizon, width, stride
        self.segments = -(-horizon // stride)
        self.bridge = Bridge(features, core)
        self.core = core
        self.input = nn.Linear(stride * (seasons + known), core.inputs)
        self.output = silent(core.features, stride * width)

    def decode(
        self,
        features: Float[Tensor, "batch steps features"],
        lagged: Float32[Tensor, "batch steps seasons horizon"],
        known: Float32[Tensor, "batch steps horizon known"],
    ) -> Float32[Tensor, "batch steps horizon width"]:
        reach = self.segments * self.stride
        before = nn.functional.pad(known, (0, 0, self.stride, 0))[:, :, :reach]
        coming = nn.functional.pad(lagged, (0, reach - self.horizon)).transpose(2, 3)
        segments = torch.cat([coming, before], -1).unflatten(2, (self.segments, self.stride)).flatten(3)
        state = self.bridge(features.flatten(0, 1))
        _, decoded = self.core.scan(state, self.input(segments.flatten(0, 1)))
        raw = self.output(decoded).float().unflatten(-1, (self.stride, self.width)).flatten(1, 2)
        return torch.unflatten(raw[:, : self.horizon], 0, features.shape[:2])


class Bridge(nn.Module):
    """From features to a state of a core: tanh of an affine map."""

    def __init__(self, features: int, core: Core) -> None:
        super().__init__()
        self.like = {name: value.shape[1:] for name, value in core.initial(1).items()}
        self.map = nn.Linear(features, sum(shape.numel() for shape in self.like.values()))

    def forward(self, features: Float[Tensor, "batch features"]) -> State:
        values = self.map(features).float().tanh().split([shape.numel() for shape in self.like.values()], -1)
        return {
            name: value.unflatten(-1, shape) for (name, shape), value in zip(self.like.items(), values, strict=True)
        }


def silent(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that says nothing yet: all its weights start at zero."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
