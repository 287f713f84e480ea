"""A network that fills gaps."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from forecaster.batch import Batch
from forecaster.build import build_filler
from forecaster.errors import DataError
from forecaster.models.filler import Filler
from forecaster.quantiles import LEVELS
from forecaster.spec import CoreSpec, HeadSpec, RecurrentSpec, SeasonalNaiveSpec

MEDIAN = LEVELS.index(0.5)


def filler(*, trained: bool = True, family: str = "quantile") -> Filler:
    """With two guesses and one more covariate; `trained` stands for weights away from where they start."""
    core = CoreSpec(width=5, layers=1)
    made = build_filler(RecurrentSpec(core=core, context=1, head=HeadSpec(family=family)), guesses=2, known=1)
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(trained * 0.3 * torch.randn(parameter.shape, generator=random))
    return made


def windows(lanes: int = 3, time: int = 8) -> Batch:
    """Random values, of which every third is hidden and every fifth missing."""
    random = torch.Generator().manual_seed(1)
    values = torch.randn(lanes, time, generator=random, dtype=torch.float64)
    number = torch.arange(lanes * time).view(lanes, time)
    values[number % 5 == 0] = torch.nan
    hidden = number % 3 == 0
    return Batch(
        target=torch.where(hidden, torch.nan, values),
        known=torch.randn(lanes, time, 3, generator=random),
        past=torch.zeros(lanes, time, 0),
        static=torch.zeros(lanes, 0, dtype=torch.int64),
        reset=torch.ones(lanes, dtype=torch.bool),
        future=torch.where(hidden, values, torch.nan),
        unit=torch.ones(lanes, dtype=torch.float64),
    )


@pytest.mark.parametrize("family", ["quantile", "gaussian"])
def test_before_training_it_says_the_mean_of_the_guesses(family: str) -> None:
    batch = windows()
    made = filler(trained=False, family=family).fill(batch)
    assert_close(made.quantiles[..., MEDIAN], batch.known[..., :2].mean(-1).double())
    assert (made.quantiles.diff(dim=-1) > 0).all()


def test_the_loss_is_that_of_what_was_hidden() -> None:
    """Twice the mean pinball loss over the levels, over hidden values only."""
    model, batch = filler(), windows()
    quantiles = model.fill(batch).quantiles
    error, levels = batch.future.unsqueeze(-1) - quantiles, torch.tensor(LEVELS)
    expected = (2 * torch.maximum(levels * error, (levels - 1) * error).mean(-1)).nanmean()
    carry, loss = model.loss(model.start(3), batch)
    assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    assert carry == {}


def test_nothing_hidden_is_no_loss_and_no_gradient() -> None:
    model, batch = filler(), windows()
    _, loss = model.loss({}, replace(batch, future=batch.future * math.nan))
    loss.backward()
    assert loss.item() == 0.0
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in model.parameters())


def test_what_is_hidden_is_not_seen_and_all_that_is_known_is() -> None:
    """Each seen value moves every step of its own window, before it as well as after it, and no other window."""
    model, batch = filler(), windows()
    with torch.no_grad():
        expected = model.fill(batch).mean
        assert torch.equal(model.fill(replace(batch, future=batch.future + 1)).mean, expected)
        for lane, step in (~batch.target.isnan()).nonzero().tolist():
            target = batch.target.clone()
            target[lane, step] += 1.0
            moved = model.fill(replace(batch, target=target)).mean != expected
            assert moved[lane].all()
            assert not moved[torch.arange(3) != lane].any()


def test_all_missing_is_finite() -> None:
    model, batch = filler(), windows()
    made = model.fill(replace(batch, target=batch.target * math.nan))
    assert made.quantiles.isfinite().all()


@pytest.mark.parametrize("spec", [RecurrentSpec(), SeasonalNaiveSpec()])
def test_what_reads_in_one_direction_fills_no_gaps(spec: RecurrentSpec | SeasonalNaiveSpec) -> None:
    with pytest.raises(DataError, match="both directions"):
        build_filler(spec, guesses=1, known=0)
