"""Models whose weights come from least squares or from counting instead of gradient descent."""

import numpy as np
import torch

from forecaster.labels.counts import LabelCounts
from forecaster.model import Model
from forecaster.pointwise import Linear
from forecaster.spec import DataSpec
from forecaster.whole import WholeLabel
from pipelines.labels import recode
from pipelines.panel import Panel
from pipelines.windows import Table, Windows

WINDOWS = 20_000
"""Windows that a regression learns from at most."""
FAR = 5.0
"""Deviations from the last quarter of a window beyond which a value counts as that far: squares let a few jumps decide.
A straight line stays within them for as many steps as the window has."""


def solve(model: Model, panel: Panel, data: DataSpec, seed: int = 0) -> None:
    """Fit in place what has a closed form: ridge regression and counts; other models have no weights."""
    if isinstance(model, Linear):
        _regress(model, panel, data, seed)
    elif isinstance(model, LabelCounts):
        _count(model, panel, data)
    elif isinstance(model, WholeLabel) and panel.whole is not None:
        model.count(torch.from_numpy(panel.whole.encode(data)))


def _count(model: LabelCounts, panel: Panel, data: DataSpec) -> None:
    codes, number = torch.from_numpy(recode(panel, data)), np.repeat(np.arange(len(panel)), panel.lengths)
    neighbours = torch.from_numpy(number[1:] == number[:-1])
    model.count(codes[:-1][neighbours], codes[1:][neighbours])


def _regress(model: Linear, panel: Panel, data: DataSpec, seed: int) -> None:
    """Ridge regression of each step ahead on what all of them read and on what is known of the step itself.

    Neither weights nor steps are many, so the normal equations, of which all steps share the largest part, are solved.
    """
    windows = Windows(Table(panel, data), lanes=WINDOWS, context=model.memory, ahead=model.horizon, stride=1, seed=seed)
    batch = next(windows.epoch(0))
    common, level, scale = model.scaled(batch.target, batch.past, batch.static)
    known = batch.known[:, model.memory :, : model.reads.known]
    ahead = (batch.future - level) / scale
    lately = common[:, : model.memory][:, -max(1, model.memory // 4) :].mean(1, keepdim=True)
    usable = ahead.isfinite().all(1) & (scale > 1e-14 * level.abs()).squeeze(1)
    ahead = lately + (ahead - lately).clamp(-FAR, FAR)
    if not usable.any():
        return
    columns, ahead = torch.cat([common, known.flatten(1)], 1)[usable].double(), ahead[usable]
    usual, middle = columns.mean(0), ahead.mean(0)
    x, y = columns - usual, ahead - middle
    products, wanted = x.mT @ x, x.mT @ y
    shared, each = common.shape[1], model.reads.known
    penalty = float(usable.sum()) ** 0.5 * torch.eye(shared + each, dtype=x.dtype)
    for step in range(model.horizon):
        own = torch.cat([torch.arange(shared), shared + step * each + torch.arange(each)])
        weight = torch.linalg.solve(products[own][:, own] + penalty, wanted[own, step])
        with torch.no_grad():
            model.map.weight[step] = weight
            model.map.bias[step] = middle[step] - usual[own] @ weight
