"""An ensemble is the median or the mean of its members, each with its own carry."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from forecaster.build import build
from forecaster.errors import DataError
from forecaster.models.ensemble import Ensemble
from forecaster.spec import EnsembleSpec, LabelCountsSpec, Task
from forecaster.state import part
from tests import laws
from tests.examples import MODELS, batch


@pytest.mark.parametrize(("name", "middle"), [("ensemble", np.median), ("ensemble of before", np.mean)])
def test_an_ensemble_forecasts_the_middle_of_its_members_and_loses_their_mean(
    name: str, middle: Callable[..., np.ndarray]
) -> None:
    example = MODELS[name]
    ensemble, series = example.model(), batch(example.task, 2, 24, 0)
    assert isinstance(ensemble, Ensemble)
    assert isinstance(example.spec, EnsembleSpec)
    assert len(ensemble.members) == len(example.spec.members)
    known = laws.future_known(series, ensemble.horizon)
    carry, loss = ensemble.loss(ensemble.start(2), series)
    alone = [member.loss(member.start(2), series) for member in ensemble.members]
    assert_close(loss, torch.stack([each for _, each in alone]).mean())
    forecasts = [
        laws.fields(member.forecast(after, ensemble.horizon, known))
        for member, (after, _) in zip(ensemble.members, alone, strict=True)
    ]
    pooled = laws.fields(ensemble.forecast(carry, ensemble.horizon, known))
    for field, value in pooled.items():
        expected = middle(np.stack([forecast[field].detach() for forecast in forecasts]), 0)
        np.testing.assert_allclose(value.detach(), expected, rtol=1e-9)
    for i, (after, _) in enumerate(alone):
        assert_close(part(carry, str(i)), after, equal_nan=True)


def test_what_has_no_quantiles_is_no_member() -> None:
    with pytest.raises(DataError, match="LabelCounts has no quantiles to pool"):
        build(EnsembleSpec(members=(LabelCountsSpec(order=0),)), Task(horizon=3, labels=2))
