"""The contract of `Head`, over every head, and each against an outside reference."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special, stats
from sklearn.metrics import mean_pinball_loss
from torch.testing import assert_close

from forecaster.head import Anchor
from forecaster.heads.bernoulli import Bernoulli
from forecaster.heads.binned import Binned
from forecaster.heads.gaussian import Gaussian
from forecaster.heads.log_normal import LogNormal
from forecaster.heads.negative_binomial import NegativeBinomial, ZeroInflatedNegativeBinomial
from forecaster.heads.quantile import Quantile
from forecaster.heads.student_t import StudentT
from forecaster.quantiles import LEVELS, interpolate
from forecaster.special import betainc
from tests import laws
from tests.examples import HEADS, seeds

TENTHS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Truth(Protocol):
    """A distribution of scipy."""

    def ppf(self, q: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class ZeroInflated:
    """Zero with a probability, else from another distribution."""

    other: Truth
    zero: float

    def ppf(self, q: np.ndarray) -> np.ndarray:
        rest = (q - self.zero) / (1 - self.zero)
        return np.where(rest > 0, self.other.ppf(rest.clip(0)), 0.0)


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
    laws.head_finite(head, raw, head.support.nearest(torch.tensor(y, dtype=torch.float64)), laws.unit(raw[..., 0]))


@pytest.mark.parametrize(
    ("name", "truth", "levels"),
    [
        ("quantile", stats.norm(0.5, 2.0), TENTHS),
        ("quantile", stats.expon(), TENTHS),
        ("three quantiles", stats.expon(), (0.1, 0.5, 0.9)),
        ("four quantiles", stats.norm(-1.0, 1.0), (0.1, 0.2, 0.4, 0.6, 0.8)),
        ("gaussian", stats.norm(0.5, 2.0), TENTHS),
        ("student_t", stats.t(3.0, 0.5, 2.0), TENTHS),
        ("log_normal", stats.lognorm(0.7, scale=3.0), TENTHS),
        ("negative_binomial", stats.nbinom(2.0, 0.25), TENTHS),
        ("negative_binomial", stats.poisson(3.0), TENTHS),
        ("zero_inflated_negative_binomial", ZeroInflated(stats.nbinom(4.0, 0.45), 0.4), TENTHS),
        ("bernoulli", stats.bernoulli(0.3), (0.1, 0.65, 0.75, 0.9)),
        ("binned", stats.expon(), TENTHS),
    ],
)
def test_loss_is_proper(name: str, truth: Truth, levels: tuple[float, ...]) -> None:
    laws.head_proper(HEADS[name](), lambda chances: torch.from_numpy(truth.ppf(chances.numpy())), levels, atol=0.1)


@every_head
@given(seed=seeds)
def test_the_mean_is_that_of_the_quantiles(name: str, seed: int) -> None:
    head = HEADS[name]()
    raw = torch.randn(2, head.width, generator=torch.Generator().manual_seed(seed))
    laws.head_mean(head, raw, laws.unit(raw[..., 0]))


@given(seed=seeds)
def test_the_gradient_of_the_pinball_loss_is_that_of_finite_differences(seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    raw = torch.randn(3, 2, 13, generator=random, dtype=torch.float64, requires_grad=True)
    z = torch.randn(3, 2, generator=random, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(Quantile().score, (raw, z))


@given(y=st.floats(-30, 30), mean=finite, spread=st.floats(-5, 5))
def test_gaussian_against_scipy(y: float, mean: float, spread: float) -> None:
    raw = torch.tensor([mean, spread], dtype=torch.float64)
    normal = stats.norm(mean, np.log1p(np.exp(spread)) + 1e-4)
    head, anchor = Gaussian(), laws.unit(raw[0])
    loss = head.loss(raw, torch.tensor(y, dtype=torch.float64), anchor)
    assert loss.item() == pytest.approx(-normal.logpdf(y), rel=1e-5)
    assert head.quantile(raw, LEVELS, anchor).tolist() == pytest.approx(normal.ppf(LEVELS).tolist())
    assert head.mean(raw, anchor).item() == pytest.approx(mean)


@given(z=st.floats(-30, 30), mean=st.floats(-5, 5), spread=st.floats(-3, 3), tail=st.floats(-8, 8))
def test_student_t_against_scipy(z: float, mean: float, spread: float, tail: float) -> None:
    raw = torch.tensor([mean, spread, tail], dtype=torch.float64)
    student = stats.t(2 / (0.02 + 0.96 * special.expit(tail)), mean, np.log1p(np.exp(spread)) + 1e-4)
    head, anchor = StudentT(), laws.unit(raw[0])
    assert head.loss(raw, torch.tensor(z).double(), anchor).item() == pytest.approx(-student.logpdf(z), rel=1e-6)
    levels = (0.001, *LEVELS, 0.999)
    assert head.quantile(raw, levels, anchor).tolist() == pytest.approx(student.ppf(levels).tolist(), rel=1e-6)


@given(y=st.floats(1e-3, 1e3), level=st.floats(1, 100), middle=st.floats(-2, 2), spread=st.floats(-3, 3))
def test_log_normal_against_scipy(y: float, level: float, middle: float, spread: float) -> None:
    raw = torch.tensor([middle, spread], dtype=torch.float64)
    anchor = Anchor(torch.tensor(level).double(), torch.tensor(0.5).double(), torch.tensor(0.0))
    around = 0.5 * np.logaddexp(0, level / 0.5)
    unit = min(0.5 / around, 1)
    deviation = 1.5 * np.tanh(unit * (np.log1p(np.exp(spread)) + 1e-4) / 1.5)
    normal = stats.lognorm(deviation, scale=around * np.exp(unit * middle))
    head = LogNormal()
    if abs(np.log(y / normal.median())) < 1e3 * deviation:
        loss = head.loss(raw, torch.tensor(y).double(), anchor).item()
        assert loss == pytest.approx(-normal.logpdf(y) - np.log(0.5), rel=1e-5, abs=1e-5)
    assert head.quantile(raw, LEVELS, anchor).tolist() == pytest.approx(normal.ppf(LEVELS).tolist(), rel=1e-6)
    assert head.mean(raw, anchor).item() == pytest.approx(normal.mean(), rel=1e-6)


@given(y=st.integers(0, 5000), level=st.floats(0.01, 3e5), middle=st.floats(-2, 2), spread=st.floats(-3, 3))
def test_negative_binomial_against_scipy(y: int, level: float, middle: float, spread: float) -> None:
    """To the count up to 512; beyond, to one count."""
    raw = torch.tensor([middle, spread], dtype=torch.float64)
    anchor = Anchor(torch.tensor(level).double(), torch.tensor(level / 4).double(), torch.tensor(0.0))
    unit = max(level / 4, np.sqrt(level))
    mean = np.logaddexp(0, level / unit + middle)
    size = np.clip((mean / np.log1p(np.exp(spread))) ** 2, 0.02, 1e4)
    negative = stats.nbinom(size, size / (size + unit * mean))
    head = NegativeBinomial()
    assert head.mean(raw, anchor).item() == pytest.approx(unit * mean)
    loss = head.loss(raw, torch.tensor(y).double(), anchor).item()
    assert loss == pytest.approx(-negative.logpmf(y), rel=1e-5, abs=1e-5)
    found, expected = head.quantile(raw, LEVELS, anchor).numpy(), negative.ppf(LEVELS)
    assert (np.abs(found - expected) <= (expected >= 512)).all()


@given(level=st.floats(0.01, 300), middle=st.floats(-2, 2), spread=st.floats(-3, 3), excess=st.floats(-5, 5))
def test_zero_inflated_negative_binomial_against_scipy(
    level: float, middle: float, spread: float, excess: float
) -> None:
    """The same mean from a larger one that is zero more often; beyond 512 quantiles are within a thousandth."""
    raw = torch.tensor([middle, spread, excess], dtype=torch.float64)
    anchor = Anchor(torch.tensor(level).double(), torch.tensor(level / 4).double(), torch.tensor(0.0))
    plain, head = NegativeBinomial(), ZeroInflatedNegativeBinomial()
    zero = 0.01 + 0.94 * special.expit(excess - 1)
    mean = plain.mean(raw[:2], anchor).item()
    size = np.clip((mean / max(level / 4, np.sqrt(level)) / np.log1p(np.exp(spread))) ** 2, 0.02, 1e4)
    negative = stats.nbinom(size, size / (size + mean / (1 - zero)))
    assert head.mean(raw, anchor).item() == pytest.approx(mean)
    for y in (0, 1, 7):
        loss = head.loss(raw, torch.tensor(float(y)).double(), anchor).item()
        likelihood = (1 - zero) * negative.pmf(y) + zero * (y == 0)
        assert loss == pytest.approx(-np.log(likelihood), rel=1e-5, abs=1e-5)
    expected = ZeroInflated(negative, zero).ppf(np.array(LEVELS))
    error = np.abs(head.quantile(raw, LEVELS, anchor).numpy() - expected)
    assert (error <= np.where(expected >= 512, 1 + expected / 1000, 0)).all()


@given(level=st.floats(0.05, 0.95), raw=st.floats(-4, 4))
def test_bernoulli_against_scipy(level: float, raw: float) -> None:
    binary = stats.bernoulli(special.expit(special.logit(level) + raw))
    anchor = Anchor(torch.tensor(level).double(), torch.tensor(0.1).double(), torch.tensor(0.0))
    assume(np.abs(binary.pmf(0) - LEVELS).min() > 1e-9)
    head, outputs = Bernoulli(), torch.tensor([raw], dtype=torch.float64)
    for y in (0, 1):
        loss = head.loss(outputs, torch.tensor(float(y)).double(), anchor).item()
        assert loss == pytest.approx(-binary.logpmf(y), rel=1e-5)
    assert head.quantile(outputs, LEVELS, anchor).tolist() == binary.ppf(LEVELS).tolist()
    assert head.mean(outputs, anchor).item() == pytest.approx(binary.mean())


@given(seed=seeds)
def test_binned_against_the_histogram_of_scipy(seed: int) -> None:
    """Cross entropy is the density times the width of the bin; quantiles are those of the histogram."""
    head, random = Binned(16), torch.Generator().manual_seed(seed)
    raw = torch.randn(16, generator=random)
    edges = np.sinh(np.linspace(-np.arcsinh(20), np.arcsinh(20), 17))
    prior = np.diff(special.expit(2 * edges))
    mass = prior * np.exp(raw.numpy()) / (prior * np.exp(raw.numpy())).sum()
    histogram = stats.rv_histogram((mass, edges), density=False)
    anchor = laws.unit(raw[0])
    assert head.quantile(raw, LEVELS, anchor).tolist() == pytest.approx(histogram.ppf(LEVELS).tolist(), abs=1e-4)
    assert head.mean(raw, anchor).item() == pytest.approx(histogram.mean(), abs=1e-4)
    for y in (-3.0, 0.01, 1.5, 99.0):
        token = np.clip(np.searchsorted(edges, y) - 1, 0, 15)
        loss = head.loss(raw, torch.tensor(y).double(), anchor).item()
        assert loss == pytest.approx(-np.log(mass[token]), rel=1e-4)


@given(a=st.floats(0.01, 1e4), b=st.floats(0.1, 1e4), x=st.floats(0, 1))
def test_incomplete_beta_against_scipy(a: float, b: float, x: float) -> None:
    found = betainc(*(torch.tensor(value, dtype=torch.float64) for value in (a, b, x))).item()
    assert found == pytest.approx(special.betainc(a, b, x), rel=1e-9, abs=1e-12)


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
    assert ((head.mean(raw, anchor) - everywhere.mean(-1)).abs() <= 0.01 * everywhere.std(-1) + 1 / 2000).all()


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
