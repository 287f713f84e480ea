"""The contract of what must read a whole window before it says anything, and the network that reads both ways."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from forecaster.core import Core


class Encoder(nn.Module, ABC):
    """A map from whole windows to features of each step. It has no `step`: nobody can carry or stream it.

    The law, held by `tests/laws.py`: lanes do not see each other, and a lane that begins late is encoded as it would
    be alone, whatever stands before its beginning. Whoever wants to stream keeps the window himself (`Window`).
    """

    inputs: int
    """Width of the input at one step."""
    features: int
    """Width of the output at one step, and of the summary."""

    @abstractmethod
    def encode(
        self, xs: Float[Tensor, "batch time inputs"], begin: Int64[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch time features"]]:
        """A summary of each window and the features of its steps; those before the step `begin` are zero."""


class Bidirectional(Encoder):
    """Two cores, one of which reads the window backwards (Schuster and Paliwal 1997).

    The features of a step are those of both cores at it, so they know the whole window. The summary is what each core
    says at its own end of the reading: the last step of the one and the first of the other.
    """

    def __init__(self, forward: Core, backward: Core) -> None:
        super().__init__()
        if forward.inputs != backward.inputs:
            raise ValueError(f"both directions read the same inputs, not {forward.inputs} and {backward.inputs}")
        self.onward, self.backward = forward, backward
        self.inputs = forward.inputs
        self.features = forward.features + backward.features

    def encode(
        self, xs: Float[Tensor, "batch time inputs"], begin: Int64[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch time features"]]:
        batch, time, _ = xs.shape
        steps = torch.arange(time, device=xs.device)
        early = _roll(xs, begin)  # each lane starts its core afresh at its own first step
        onward = _roll(self.onward.scan(self.onward.initial(batch), early)[1], -begin)
        backward = self.backward.scan(self.backward.initial(batch), xs.flip(1))[1].flip(1)
        inside = (steps >= begin.unsqueeze(1)).unsqueeze(-1)
        features = torch.where(inside, torch.cat([onward, backward], -1), 0.0)
        first = features[torch.arange(batch, device=xs.device), begin.clamp(max=time - 1)]
        onward, backward = features[:, -1, : onward.shape[-1]], first[:, onward.shape[-1] :]
        return torch.cat([onward, backward], -1), features


def _roll(xs: Float[Tensor, "batch time width"], by: Int64[Tensor, "batch"]) -> Float[Tensor, "batch time width"]:
    """Each lane moved `by` steps towards the beginning, what falls out coming in again at the end."""
    time = xs.shape[1]
    place = (torch.arange(time, device=xs.device) + by.unsqueeze(1)) % time
    return xs.gather(1, place.unsqueeze(-1).expand_as(xs))
