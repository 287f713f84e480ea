"""Models whose weights come from least squares or from counting instead of gradient descent."""

import numpy as np
import torch

from forecaster.manifest import DataSpec
from forecaster.model import Model
from forecaster.models.ensemble import Ensemble
from forecaster.models.labels.counts import LabelCounts
from forecaster.models.linear import Linear
from forecaster.models.whole import WholeLabel
from pipelines.data.labels import recode
from pipelines.data.panel import Panel
from pipelines.training.regression import regress


def solve(model: Model, panel: Panel, data: DataSpec, season: int, seed: int = 0) -> None:
    """Fit in place what has a closed form: ridge regression and counts; other models have no weights."""
    if isinstance(model, Linear):
        regress(model, panel, data, season, seed)
    elif isinstance(model, Ensemble):
        for member in model.members:
            solve(member, panel, data, season, seed)
    elif isinstance(model, LabelCounts):
        _count(model, panel, data)
    elif isinstance(model, WholeLabel) and panel.whole is not None:
        model.count(torch.from_numpy(panel.whole.encode(data)))


def _count(model: LabelCounts, panel: Panel, data: DataSpec) -> None:
    codes, number = torch.from_numpy(recode(panel, data)), np.repeat(np.arange(len(panel)), panel.lengths)
    neighbours = torch.from_numpy(number[1:] == number[:-1])
    model.count(codes[:-1][neighbours], codes[1:][neighbours])
