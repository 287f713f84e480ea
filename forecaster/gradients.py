"""How far back a gradient reaches: what the loss of the last step knows of the states before it."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray
from torch import Tensor

from forecaster.errors import DataError
from forecaster.model import Model
from forecaster.state import State

Input = TypeVar("Input")

GONE = 0.01
"""The share of where it starts under which a gradient counts as gone."""


def norms(
    read: Callable[[State, Input], tuple[State, Tensor]], state: State, inputs: Sequence[Input], names: Sequence[str]
) -> dict[str, Float64[Tensor, "batch back"]]:
    """Norm of d loss_T / d state_{T-k} for each lane and k = 1, 2, ..., as many steps back as there are `inputs`.

    `read` is one step of a fold, such as `Core.step` or `Model.loss`: a state and an input give a new state and what
    is to be differentiated, of which the one after the last input, summed, is the loss. `names` are the parts of the
    state that are asked for; all others are what they are. By the chain rule the gradient is a product of k Jacobians,
    so it vanishes or explodes as the k-th power of their norm (Bengio et al. 1994; Pascanu et al. 2013).
    """
    state = state | {name: state[name].detach().clone().requires_grad_() for name in names}
    before: list[State] = []
    loss = torch.zeros(())
    for each in inputs:
        # A node of its own: what made this part (a gate, say) may have gone into other parts of the state as well.
        state = state | {name: state[name].view_as(state[name]) for name in names}
        before.append(state)
        state, loss = read(state, each)
    leaves = [state[name] for name in names for state in reversed(before)]
    gradients = torch.autograd.grad(loss.sum(), leaves, materialize_grads=True)
    lengths = torch.stack([gradient.double().reshape(len(gradient), -1).norm(dim=1) for gradient in gradients], 1)
    return dict(zip(names, lengths.split(len(before), 1), strict=True))


def core_parts(model: Model) -> list[str]:
    """The names of what the recurrent cores of a model carry; DataError where it has none."""
    names = [name for name in model.start(1) if "core" in name.split(".")]
    if not names:
        raise DataError(
            f"{type(model).__name__} has no recurrent state, so no gradient runs back through one",
            remedy="choose a model of a recurrent recipe, such as gru or lstm",
        )
    return names


def reach(norm: Float64[ndarray, "back"]) -> int | None:
    """The first step back at which the gradient is `GONE`, measured by that one step back; None where it never is.

    >>> reach(0.1 ** np.arange(1.0, 5.0))
    4
    """
    under = np.flatnonzero(norm < GONE * norm[0])
    return int(under[0]) + 1 if len(under) else None
