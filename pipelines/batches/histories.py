"""Every series read to its end, many side by side, and there asked for a forecast."""

from collections.abc import Callable
from itertools import chain

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from forecaster.manifest import DataSpec
from forecaster.model import Carry, Model
from forecaster.state import take
from pipelines.batches.windows import Table
from pipelines.data.panel import Panel

LANES = 512
"""Recurrent steps that are taken side by side: their gates fit into a core's own cache, which is a quarter faster than
2048, and three times as fast as 12,288."""
SEGMENTS = 256
"""Recurrent steps that are read at a time, which bounds the memory of a long history."""


@torch.inference_mode()
def at_the_end(
    model: Model,
    data: DataSpec,
    panel: Panel,
    horizon: int,
    ask: Callable[[Carry, Tensor], tuple[Tensor, ...]],
    begun: Carry | None = None,
    *,
    side_by_side: int | None = None,
) -> tuple[Tensor, ...]:
    """What `ask` makes of each carry and of what is known for the `horizon` after it, on the CPU, in the panel's order.

    It is asked for several series at once; its tensors are batch first. Carries that have `begun` stream: each goes on
    with the steps of its series, which may be none.
    """
    device = next(chain(model.parameters(), model.buffers())).device
    ahead = horizon if data.whole is None else 0  # a series that is over has nothing known of what comes
    table = Table(panel, data, ahead, device)
    stride = model.stride if begun is None else 1
    segments, most = -(-panel.lengths // stride), SEGMENTS * model.stride // stride
    phases = min(model.stride // stride, int(segments.max(initial=1)))  # lanes of a series that is read on
    order, at_once = np.argsort(segments, kind="stable"), side_by_side or max(1, LANES // phases)
    answers, places = [], []
    for begin in range(0, len(order), at_once):
        series = order[begin : begin + at_once]
        carry = model.start(len(series), stride) if begun is None else take(begun, torch.from_numpy(series))
        done = 0
        while len(series):
            upto = min(int(segments[series[0]]), done + most)
            if upto > done:
                time = (upto - done) * stride
                first = panel.lengths[series] + (done - segments[series]) * stride
                carry = model.observe(carry, table.gather(series, first, time, 0, reset=False))
                done = upto
            ended = segments[series] == done
            if ended.any():
                last = series[ended]
                known = table.gather(last, panel.lengths[last], 0, horizon, reset=False).known
                answers.append(ask(take(carry, _lanes(ended, device)), known))
                places.append(last)
                carry, series = take(carry, _lanes(~ended, device)), series[~ended]
    back = torch.from_numpy(np.argsort(np.concatenate(places)))
    return tuple(torch.cat(parts).cpu()[back] for parts in zip(*answers, strict=True))


def _lanes(mask: ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.flatnonzero(mask)).to(device)
