"""The contract of whatever is trained by gradient descent: all that `forecaster.train.fit` sees."""

from abc import ABC, abstractmethod

from jaxtyping import Float32
from torch import Tensor, nn

from forecaster.batch import Batch
from forecaster.state import State


class Learner(nn.Module, ABC):
    """A carry to start from, and a loss that hands it on."""

    stride: int
    """Observations that one recurrent step reads."""
    apart: int = 1
    """Recurrent steps from one that is followed by a loss to the next."""

    @abstractmethod
    def start(self, lanes: int, stride: int = 1) -> State:
        """The carry of `lanes` series before their first observation."""

    @abstractmethod
    def loss(self, carry: State, batch: Batch) -> tuple[State, Float32[Tensor, ""]]:
        """Mean loss over the batch, and the carry after it."""
