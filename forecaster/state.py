"""A state is named tensors, batch first, passed in and handed back; it is never an attribute of a module.

Four functions over any state do everything that recurrent models need beside stepping: `detach` (truncated
back-propagation through time), `afresh` (reset of lanes, by `where`), `repeat` (sample paths) and `take` (lanes).
Between requests a lane is kept as bytes (`pack`).
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

State: TypeAlias = dict[str, Tensor]
"""Named tensors of shape [batch, ...]; the parts of a composite have dotted names."""


def transform(function: Callable[..., Tensor], state: State, *others: State) -> State:
    """Apply `function` to each tensor of `state`, together with the tensors of the same name in `others`."""
    return {name: function(value, *(other[name] for other in others)) for name, value in state.items()}


def detach(state: State) -> State:
    """Cut the gradient and keep the values: the forward pass runs on, the backward pass ends here."""
    return transform(Tensor.detach, state)


def where(mask: Bool[Tensor, "batch"], a: State, b: State) -> State:
    """Lanes of `a` where `mask` is true and of `b` elsewhere.

    >>> where(torch.tensor([True, False]), {"hidden": torch.zeros(2)}, {"hidden": torch.ones(2)})
    {'hidden': tensor([0., 1.])}
    """
    return transform(lambda x, y: torch.where(mask.view(-1, *[1] * (x.dim() - 1)), x, y), a, b)


def afresh(state: State, reset: Bool[Tensor, "batch"], start: Callable[[int], State]) -> State:
    """With the lanes that `reset` as they start."""
    if not torch.is_grad_enabled() and not reset.any():  # in training a learned start has a gradient then too: of zero
        return state
    return where(reset, start(len(reset)), state)


def repeat(state: State, times: int) -> State:
    """Each lane `times` times in a row: [batch, ...] -> [batch * times, ...]."""
    return transform(lambda x: x.repeat_interleave(times, dim=0), state)


def take(state: State, lanes: Int[Tensor, "chosen"]) -> State:
    """The lanes with the given numbers, in that order: [batch, ...] -> [chosen, ...]."""
    return transform(lambda x: x.index_select(0, lanes), state)


def part(state: State, name: str) -> State:
    """The state of one part of a composite.

    >>> part({"core.hidden": torch.zeros(1), "scale.level": torch.ones(1)}, "core")
    {'hidden': tensor([0.])}
    """
    return {path.removeprefix(f"{name}."): value for path, value in state.items() if path.startswith(f"{name}.")}


def parts(**states: State) -> State:
    """The state of a composite from the states of its parts; the inverse of `part`."""
    return {f"{name}.{path}": value for name, state in states.items() for path, value in state.items()}


def pack(state: State) -> UInt8[Tensor, "batch bytes"]:
    """Each lane as bytes, tensor after tensor."""
    return torch.cat([value.reshape(len(value), -1).view(torch.uint8) for value in state.values()], 1)


def unpack(lanes: UInt8[Tensor, "batch bytes"], like: State) -> State:
    """The inverse of `pack`, for a state with the names, types and shapes of `like`, whose batch may be another.

    >>> state = {"hidden": torch.tensor([[1.5, 2.0]]), "age": torch.tensor([7])}
    >>> unpack(pack(state), like=state)
    {'hidden': tensor([[1.5000, 2.0000]]), 'age': tensor([7])}
    """
    sizes = [value[:1].numel() * value.element_size() for value in like.values()]
    columns = zip(like.items(), lanes.split(sizes, 1), strict=True)
    return {
        name: cells.clone().flatten().view(value.dtype).view(len(lanes), *value.shape[1:])
        for (name, value), cells in columns
    }
