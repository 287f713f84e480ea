"""A model of logarithms is the model of a series of logarithms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from forecaster.batch import Batch, Forecast
from forecaster.build import build
from forecaster.cores.scale import MOST
from forecaster.model import Carry
from forecaster.models.logarithm import Logarithm
from forecaster.quantiles import LEVELS
from forecaster.spec import Task
from tests import laws
from tests.examples import RECURRENT, batch, lone, seeds

EXAMPLE = RECURRENT["gru logarithm"]


def model() -> Logarithm:
    made = EXAMPLE.model()
    assert isinstance(made, Logarithm)
    return made


def test_forecasts_are_those_of_the_logarithms_taken_back() -> None:
    made, values = model(), torch.tensor([4.0, 6.0, 9.0, 5.0, 7.0, 8.0, 6.0, 7.5], dtype=torch.float64)
    with torch.no_grad():
        outer = made.forecast(made.observe(made.start(1), lone(EXAMPLE.task, values)), 4)
        inner = made.inner.forecast(made.inner.observe(made.inner.start(1), lone(EXAMPLE.task, (values / 4).log())), 4)
    assert_close(outer.quantiles, 4 * inner.quantiles.exp())
    low, median, high = (outer.quantiles[..., k] for k in (0, 6, 12))
    assert (low > 0).all()
    assert ((outer.mean > low) & (outer.mean < high)).all()
    assert (median < high).all()


@given(seed=seeds)
def test_the_loss_is_of_logarithms_and_counts_in_the_unit_of_the_series(seed: int) -> None:
    """An error of so much in the logarithm is one of so many times the level."""
    made, series = model(), batch(EXAMPLE.task, 2, 40, seed)

    def score(forecast: Forecast, segment: Batch, carry: Carry) -> Tensor:
        error, levels = (segment.future.unsqueeze(-1) / forecast.quantiles).log(), torch.tensor(LEVELS)
        loss = 2 * torch.maximum(levels * error, (levels - 1) * error).mean((1, 2))
        level, scale = carry["last.level"].squeeze(1).exp() * 2 ** carry["log.exponent"], carry["last.scale"].squeeze(1)
        return loss * torch.minimum(level / segment.unit, MOST / scale)

    with torch.no_grad():
        carry = made.observe(made.start(2, made.stride), laws.chunk(series, 0, 32))
        laws.model_loss(made, carry, laws.chunk(series, 32, 40), score)


def test_the_mean_of_a_normal_logarithm_is_that_of_the_log_normal() -> None:
    """exp(mu + sigma^2 / 2), with mu and sigma from a Gaussian head."""
    task = Task(horizon=2, positive=True)
    made = RECURRENT["elman gaussian"].spec
    outer = build(made, task)
    assert isinstance(outer, Logarithm)
    with torch.no_grad():
        carry = outer.observe(outer.start(1), lone(task, torch.tensor([2.0, 3.0, 2.5, 2.2, 2.9])))
        block = outer.forecast(carry, 2)
    logarithms = block.quantiles.log()
    sigma = (logarithms[..., 12] - logarithms[..., 0]) / (2 * 1.959964)
    assert_close(block.mean, (logarithms[..., 6] + sigma**2 / 2).exp(), rtol=0.02, atol=0)


@given(gaps=st.lists(st.sampled_from([0.0, -3.0, math.nan]), min_size=1, max_size=3))
def test_what_is_not_positive_is_a_gap(gaps: list[float]) -> None:
    made = model()
    before, after = [2.0, 3.0, 4.0, 3.0], [2.5, 3.5]
    with torch.no_grad():
        found, expected = (
            made.forecast(made.observe(made.start(1), lone(EXAMPLE.task, torch.tensor([*before, *middle, *after]))), 9)
            for middle in (gaps, [math.nan] * len(gaps))
        )
    for name, value in laws.fields(expected).items():
        assert torch.equal(laws.fields(found)[name], value)


@pytest.mark.parametrize("value", [1e-307, 0.1, 1.0, 3.0, 1e9, 1e300])
def test_a_constant_stays_itself(value: float) -> None:
    made = model()
    with torch.no_grad():
        forecast = made.forecast(
            made.observe(made.start(1), lone(EXAMPLE.task, torch.full((20,), value, dtype=torch.float64))), 6
        )
    assert_close(forecast.quantiles, torch.full_like(forecast.quantiles, value), rtol=1e-9, atol=0)
