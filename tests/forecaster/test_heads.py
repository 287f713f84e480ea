"""The contract of `Head`, over every head, and each against an outside reference."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import mean_pinball_loss
from torch.testing import assert_close

from forecaster.heads.gaussian import Gaussian
from forecaster.heads.quantile import Quantile
from forecaster.quantiles import LEVELS, interpolate
from tests import laws
from tests.examples import HEADS, seeds

every_head = pytest.mark.parametrize("name", HEADS)
some_levels = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=30).map(lambda chosen: tuple(sorted(chosen)))
finite = st.floats(-50, 50, width=32)


@every_head
@given(levels=some_levels, data=st.data())
def test_quantiles_do_not_cross(name: str, levels: tuple[float, ...], data: st.DataObject) -> None:
    head = HEADS[name]()
    raw = torch.from_numpy(data.draw(arrays(np.float32, (2, head.width), elements=finite | st.just(-1e4))))
    close = tuple(np.nextafter(level, 0).item() for level in LEVELS)
    laws.head_quantiles(head, raw, tuple(sorted(levels + LEVELS + close)), laws.unit(raw[..., 0]))


@every_head
@given(
    y=st.lists(st.sampled_from([-1e4, -50.0, -1.0, 0.0, 1.0, 50.0, 1e4]), min_size=1, max_size=5),
    data=st.data(),
)
def test_loss_and_gradient_are_finite(name: str, y: list[float], data: st.DataObject) -> None:
    head = HEADS[name]()
    raw = torch.from_numpy(data.draw(arrays(np.float32, (len(y), head.width), elements=finite)))
    laws.head_finite(head, raw, torch.tensor(y, dtype=torch.float64), laws.unit(raw[..., 0]))


@pytest.mark.parametrize(
    ("name", "truth", "levels"),
    [
        ("quantile", torch.distributions.Normal(0.5, 2.0), (0.1, 0.3, 0.5, 0.7, 0.9)),
        ("quantile", torch.distributions.Exponential(1.0), (0.1, 0.3, 0.5, 0.7, 0.9)),
        ("three quantiles", torch.distributions.Exponential(1.0), (0.1, 0.5, 0.9)),
        ("four quantiles", torch.distributions.Normal(-1.0, 1.0), (0.1, 0.2, 0.4, 0.6, 0.8)),
        ("gaussian", torch.distributions.Normal(0.5, 2.0), (0.1, 0.3, 0.5, 0.7, 0.9)),
    ],
)
def test_loss_is_proper(name: str, truth: torch.distributions.Distribution, levels: tuple[float, ...]) -> None:
    laws.head_proper(HEADS[name](), truth, levels, atol=0.1)


@every_head
@given(seed=seeds)
def test_draws_agree_with_quantiles_and_mean(name: str, seed: int) -> None:
    head = HEADS[name]()
    raw = torch.randn(2, head.width, generator=torch.Generator().manual_seed(seed))
    laws.head_samples(head, raw, laws.unit(raw[..., 0]), seed)


@given(y=st.floats(-30, 30), mean=finite, spread=st.floats(-5, 5))
def test_gaussian_against_scipy(y: float, mean: float, spread: float) -> None:
    raw = torch.tensor([mean, spread], dtype=torch.float64)
    normal = stats.norm(mean, np.log1p(np.exp(spread)) + 1e-4)
    head, anchor = Gaussian(), laws.unit(raw[0])
    loss = head.loss(raw, torch.tensor(y, dtype=torch.float64), anchor)
    assert loss.item() == pytest.approx(-normal.logpdf(y), rel=1e-5)
    assert head.quantile(raw, LEVELS, anchor).tolist() == pytest.approx(normal.ppf(LEVELS).tolist())
    assert head.mean(raw, anchor).item() == pytest.approx(mean)


@given(seed=seeds)
def test_quantile_loss_is_twice_the_mean_pinball_loss(seed: int) -> None:
    head, random = Quantile(), torch.Generator().manual_seed(seed)
    raw, y = torch.randn(20, head.width, generator=random), torch.randn(20, generator=random).double()
    quantiles = head.quantile(raw, LEVELS, laws.unit(raw[:, 0]))
    expected = [mean_pinball_loss(y, quantiles[:, k], alpha=level) for k, level in enumerate(LEVELS)]
    assert head.loss(raw, y, laws.unit(raw[:, 0])).mean().item() == pytest.approx(2 * np.mean(expected), rel=1e-5)


@every_head
@given(seed=seeds)
def test_mean_is_the_mean_of_all_quantiles(name: str, seed: int) -> None:
    head = HEADS[name]()
    raw = 2 * torch.randn(3, head.width, generator=torch.Generator().manual_seed(seed))
    anchor = laws.unit(raw[:, 0])
    everywhere = head.quantile(raw, tuple((k + 0.5) / 2000 for k in range(2000)), anchor)
    assert ((head.mean(raw, anchor) - everywhere.mean(-1)).abs() <= 0.01 * everywhere.std(-1)).all()


@given(levels=some_levels, mean=finite, spread=st.floats(0.1, 10))
def test_interpolation_is_exact_for_a_normal(levels: tuple[float, ...], mean: float, spread: float) -> None:
    normal = stats.norm(mean, spread)
    known = torch.from_numpy(normal.ppf(LEVELS))
    assert_close(interpolate(known, LEVELS, levels), torch.from_numpy(normal.ppf(levels)), rtol=1e-6, atol=1e-6)
    assert torch.equal(interpolate(known, LEVELS, LEVELS[2:7]), known[2:7])


@given(
    values=arrays(np.float64, len(LEVELS), elements=st.floats(-1e300, 1e300)).map(np.sort),
    levels=some_levels,
    exponent=st.integers(-20, 20),
)
def test_interpolation_is_monotone_and_scales(values: np.ndarray, levels: tuple[float, ...], exponent: int) -> None:
    known = torch.from_numpy(values)
    quantiles = interpolate(known, LEVELS, levels)
    assert quantiles.isfinite().all()
    assert (quantiles.diff() >= 0).all()
    assert (interpolate(known, LEVELS, tuple(sorted(levels + LEVELS))).diff() >= 0).all()
    small = known / 2.0**40
    scaled = interpolate(torch.ldexp(small, torch.tensor(exponent)), LEVELS, levels)
    assert_close(
        scaled,
        torch.ldexp(interpolate(small, LEVELS, levels), torch.tensor(exponent)),
        rtol=1e-15,
        atol=1e-300,
    )


@every_head
def test_loss_keeps_its_precision_under_autocast(name: str) -> None:
    head = HEADS[name]()
    random = torch.Generator().manual_seed(0)
    raw, y = torch.randn(20, head.width, generator=random), torch.randn(20, generator=random).double()
    with torch.autocast("cpu", torch.bfloat16):
        reduced = head.loss(raw, y, laws.unit(raw[:, 0]))
    assert_close(reduced, head.loss(raw, y, laws.unit(raw[:, 0])))
