"""Values far from all others are told of, and whatever many of a kind do is not."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.doors import panel_from_series
from pipelines.data.oddities import oddities
from pipelines.data.panel import Panel


def days(*series: Sequence[float | None]) -> Panel:
    return panel_from_series([f"s{i}" for i in range(len(series))], ["2024-01-01"] * len(series), series, "D")


@pytest.mark.parametrize("wrong", [-9999.0, 5e8])
def test_a_far_value_is_told_of_with_its_time(wrong: float) -> None:
    usual = [float(10 + step % 7) for step in range(400)]
    bad = usual.copy()
    bad[2] = bad[4] = wrong
    assert list(oddities(days(usual, bad, [*bad, *usual]))) == [
        f"series 's1', ds 2024-01-03 00:00: the value {wrong:g} is over 20 times as far from the median as the others,"
        " like 4 in 2 series; leave y empty where that is a mistake"
    ]


def test_one_value_far_from_equal_ones_is_told_of() -> None:
    assert list(oddities(days([10.0] * 59 + [9999.0], [0.0] * 59 + [3.0], [10.0] * 59 + [12.0]))) == [
        "series 's0', ds 2024-02-29 00:00: the value 9999 is over 20 times as far from the median as the others,"
        " like 1 in 1 series; leave y empty where that is a mistake"
    ]


def test_a_gap_beyond_belief_is_told_of() -> None:
    """2123 for 2023, in one of many series; and what is sold ten times in four years is no mistake."""
    late = [*map(float, range(20)), *[None] * 36500, 1.0]
    seldom = [value for k in range(20) for value in (1.0 + k % 3, *[None] * (50 + 20 * (k % 4)))]
    assert list(oddities(days([1.0, 2.0] * 20, late, seldom))) == [
        "series 's1', ds 2123-12-28 00:00: nothing in the 36500 steps of 'D' before it, over 10 times as many as it"
        " has values; correct the time where that is a mistake"
    ]


@pytest.mark.parametrize(
    "values",
    [
        [1.0, 2.0, 1000.0],  # too few to tell
        [0.0] * 50 + [7.0],  # sold for the first time
        [0.3, 0.1 + 0.2] * 25 + [0.4],  # the same, but for rounding
        [5.0] * 30 + [500.0] * 30,  # another level
        [1.5**step for step in range(60)],
        [1.0, 2.0] * 50 + [1000.0] * 3,  # more than one in a hundred
        [np.nan] * 20,
    ],
)
def test_what_only_looks_odd(values: list[float]) -> None:
    assert not list(oddities(days([1.0, 2.0], values)))


@given(st.integers(0, 2**32 - 1), st.integers(10, 300), st.floats(-1e6, 1e6), st.sampled_from([1e-6, 1.0, 1e9]))
def test_no_noise_is_odd(seed: int, count: int, level: float, scale: float) -> None:
    noise = level + scale * np.random.default_rng(seed).standard_normal(count)
    assert not list(oddities(days(noise.tolist())))
