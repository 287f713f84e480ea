"""Bounds and tests against scipy, and by hand where rows go together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.monitoring.evidence import above, bounds

seeds = st.integers(0, 2**20)


@given(seed=seeds, rows=st.integers(1, 200), chance=st.sampled_from([0.0, 0.1, 0.8, 1.0]), risk=st.floats(1e-6, 0.4))
def test_where_each_row_is_a_block_bounds_are_those_of_scipy(seed: int, rows: int, chance: float, risk: float) -> None:
    drawn = np.random.default_rng(seed)
    cell, hit = drawn.integers(0, 3, rows), (drawn.random(rows) < chance).astype(np.float64)
    told = bounds(hit, cell, np.arange(rows), 3, risk)
    for one in set(cell.tolist()):
        exact = stats.binomtest(int(hit[cell == one].sum()), int((cell == one).sum())).proportion_ci(1 - risk)
        assert told.low[one] == pytest.approx(exact.low, abs=1e-6)
        assert told.high[one] == pytest.approx(exact.high, abs=1e-6)


def test_bounds_by_hand() -> None:
    """Eight of ten: the roots of the binomial tails at 2.5 % (Clopper and Pearson's own table has 0.44 and 0.97)."""
    told = bounds(np.repeat([1.0, 0.0], [8, 2]), np.zeros(10, dtype=np.int64), np.arange(10), 1, 0.05)
    assert told.low[0] == pytest.approx(0.4439, abs=1e-4)
    assert told.high[0] == pytest.approx(0.9748, abs=1e-4)
    assert stats.binom.sf(7, 10, told.low[0]) == pytest.approx(0.025, abs=1e-6)
    assert stats.binom.cdf(8, 10, told.high[0]) == pytest.approx(0.025, abs=1e-6)


def test_rows_that_go_together_by_hand() -> None:
    """Five blocks of four rows that are all alike tell as much as so many rows as Korn and Graubard say."""
    hit, block = np.repeat([1.0, 1.0, 1.0, 0.0, 1.0], 4), np.repeat(np.arange(5), 4)
    told = bounds(hit, np.zeros(20, dtype=np.int64), block, 1, 0.05)
    variance = 5 / 4 * (4 * (4 * 0.2) ** 2 + (4 * 0.8) ** 2) / 20**2
    effective = 0.8 * 0.2 / variance * 20 / 19  # rows over the design effect
    effective *= (stats.t.ppf(0.975, 19) / stats.t.ppf(0.975, 4)) ** 2
    assert told.low[0] == pytest.approx(stats.beta.ppf(0.025, 0.8 * effective, 0.2 * effective + 1))
    assert told.high[0] == pytest.approx(stats.beta.ppf(0.975, 0.8 * effective + 1, 0.2 * effective))
    assert effective < 5


def test_one_block_and_nothing_prove_nothing() -> None:
    told = bounds(np.array([1.0, 0.0, np.nan]), np.array([0, 0, 1]), np.zeros(3, dtype=np.int64), 2, 0.01)
    assert told.low.tolist() == [0, 0]
    assert told.high.tolist() == [1, 1]
    assert told.rows.tolist() == [2, 0]
    difference = np.array([9.0, 9.0, np.nan])
    assert above(difference, np.array([0, 0, 1]), np.zeros(3, dtype=np.int64), 2).tolist() == [1, 1]


@given(seed=seeds, rows=st.integers(6, 200))
def test_the_test_is_that_of_scipy_over_the_means_of_blocks(seed: int, rows: int) -> None:
    drawn = np.random.default_rng(seed)
    cell, block = np.arange(rows) % 2, np.arange(rows) % 6 // 2
    difference = drawn.normal(0.2, 1, rows)
    told = above(difference, cell, block, 2)
    for one in (0, 1):
        means = [difference[(cell == one) & (block == k)].mean() for k in set(block[cell == one].tolist())]
        expected = stats.ttest_1samp(means, 0, alternative="greater").pvalue
        assert told[one] == pytest.approx(expected)


def test_the_same_in_all_blocks() -> None:
    """A difference that never changes is sure, and none at all is none."""
    cell, block = np.repeat([0, 1, 2], 4), np.tile(np.arange(4), 3)
    assert above(np.repeat([0.5, 0.0, -0.5], 4), cell, block, 3).tolist() == [0, 1, 1]
