"""Models whose weights come from least squares or from counting instead of gradient descent."""

import numpy as np
import torch
from sklearn.linear_model import Ridge

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
    windows = Windows(Table(panel, data), lanes=WINDOWS, context=model.memory, ahead=model.horizon, stride=1, seed=seed)
    batch = next(windows.epoch(0))
    lags, level, scale = model.scaled(batch.target)
    ahead = ((batch.future - level) / scale).numpy()
    usable = np.isfinite(ahead).all(1) & (np.abs(ahead) < 100).all(1)
    if not usable.any():
        return
    ridge = Ridge(alpha=float(np.sqrt(usable.sum()))).fit(lags.numpy()[usable], ahead[usable])
    with torch.no_grad():
        model.map.weight.copy_(torch.from_numpy(ridge.coef_.reshape(model.horizon, -1)))
        model.map.bias.copy_(torch.from_numpy(np.atleast_1d(ridge.intercept_)))
