"""Smoothing against its recursion by hand, and the numbers it must bear."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from forecaster.cores.scale import BOUND, Smoothing, normalise


def double(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def read(smoothing: Smoothing, values: list[float]) -> Tensor:
    """(level, scale) after each segment of one series."""
    xs = double(values).view(1, -1, smoothing.inputs)
    return smoothing.scan(smoothing.initial(1), xs)[1][0].detach()


@given(
    segments=st.lists(
        st.lists(st.one_of(st.floats(-100, 100), st.just(math.nan)), min_size=2, max_size=2), min_size=1, max_size=40
    )
)
def test_against_the_recursion_by_hand(segments: list[list[float]]) -> None:
    smoothing = Smoothing(2)
    rate, prior = torch.sigmoid(smoothing.rate.double()).item(), math.exp(smoothing.prior.item())
    weight = level = deviation = 0.0
    doubt = 1.0
    expected = []
    for segment in segments:
        if seen := [value for value in segment if not math.isnan(value)]:
            share = rate * len(seen) / 2
            weight += share * (1 - weight)
            level += share / weight * (sum(seen) / len(seen) - level)
            distance = sum(abs(value - level) for value in seen) / len(seen)
            deviation += share / weight * (distance - deviation)
            doubt /= 4 ** len(seen)
        scale = deviation + doubt * prior * abs(level)
        expected += [[level, scale if scale > 1e-14 * abs(level) else 0.0, weight]]
    found = read(smoothing, [value for segment in segments for value in segment])
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_level_is_the_weighted_mean_of_what_was_seen() -> None:
    """Weights rate * (1 - rate)^age, normalised: no bias towards a start value."""
    smoothing = Smoothing(2)
    level = read(smoothing, [1.0, 3.0, 4.0, 6.0, 10.0, 12.0])[-1, 0].item()
    keep = 1 - torch.sigmoid(smoothing.rate).item()
    weights = [keep**2, keep, 1.0]
    assert level == pytest.approx(sum(w * m for w, m in zip(weights, [2, 5, 11], strict=True)) / sum(weights))


def test_half_a_segment_counts_half() -> None:
    smoothing = Smoothing(2)
    weight = smoothing.scan(smoothing.initial(1), double([1.0, math.nan]).view(1, 1, 2))[0]["weight"].item()
    assert weight == pytest.approx(torch.sigmoid(smoothing.rate).item() / 2)


@given(gap=st.integers(1, 50))
def test_a_gap_changes_nothing(gap: int) -> None:
    smoothing = Smoothing(2)
    before = read(smoothing, [1.0, 2.0, 5.0, 3.0])
    after = read(smoothing, [1.0, 2.0, 5.0, 3.0] + [math.nan] * 2 * gap)
    assert torch.equal(after[-1], before[-1])


def test_a_constant_series_ends_without_a_scale() -> None:
    features = read(Smoothing(3), [0.1] * 600)
    assert features[0, 1] > 0
    assert features[-1, 1] == 0
    assert features[-1, 0].item() == pytest.approx(0.1)


def test_small_movements_around_a_large_level_are_a_scale() -> None:
    _, scale, _ = read(Smoothing(1), [1e9 + (-1) ** n for n in range(300)])[-1].tolist()
    assert scale == pytest.approx(1.0, rel=0.2)


@given(
    x=st.one_of(st.floats(-1e300, 1e300), st.just(math.nan)),
    level=st.floats(-1e300, 1e300),
    scale=st.one_of(st.floats(0, 1e300), st.sampled_from([0.0, 1e-320, 1e-300])),
)
def test_normalise(x: float, level: float, scale: float) -> None:
    """Bounded, zero without a scale, NaN only where x is, and never a NaN in the gradient."""
    level_leaf, scale_leaf = double([level]).requires_grad_(), double([scale]).requires_grad_()
    z = normalise(double([x]), level_leaf, scale_leaf)
    assert z.dtype == torch.float32
    assert z.isnan().item() == math.isnan(x)
    z.nan_to_num().sum().backward()
    assert level_leaf.grad is not None
    assert scale_leaf.grad is not None
    assert not level_leaf.grad.isnan().any()
    assert not scale_leaf.grad.isnan().any()
    if scale == 0 and not math.isnan(x):
        assert z.item() == 0
    if scale > 1e-290 and not math.isnan(x):
        assert z.item() == pytest.approx(max(-BOUND, min(BOUND, (x - level) / scale)), rel=1e-6, abs=1e-30)
