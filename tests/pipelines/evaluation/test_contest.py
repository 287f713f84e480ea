"""When a challenger beats a champion."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from scipy import stats

from forecaster.support import REAL, Support
from pipelines.data.doors import panel_from_series
from pipelines.evaluation.backtest import Backtest
from pipelines.evaluation.contest import compare, contest, versus
from pipelines.evaluation.split import HeldOut
from pipelines.evaluation.split import origins as rolling

RNG = np.random.default_rng(3)


@dataclass(frozen=True)
class Told(Backtest):
    """A backtest of which only the losses by row and the coverage are told."""

    losses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    covered: float = 0.8

    def by_row(self) -> dict[str, np.ndarray]:
        return {"scaled_quantile_loss": self.losses, "unit": np.arange(1.0, 1 + len(self.losses))}

    def metrics(self) -> dict[str, float]:
        return {"coverage_80": self.covered}


def told(losses: np.ndarray, covered: float = 0.8, support: Support = REAL) -> Told:
    one = object.__new__(Told)
    object.__setattr__(one, "support", support)
    object.__setattr__(one, "losses", losses)
    object.__setattr__(one, "covered", covered)
    return one


def rows(series: int, origins: int, apart: int = 2) -> HeldOut:
    """What series were followed by at some origins, two steps ahead."""
    names, length = [str(i) for i in range(series)], 3 + apart * origins
    panel = panel_from_series(names, [0] * series, [[1.0] * length] * series, "step")
    return rolling(panel, 2, origins, apart)


BEFORE = np.exp(RNG.normal(size=40))
NOISE = np.exp(RNG.normal(scale=0.1, size=40))


def test_a_clear_gain_wins() -> None:
    verdict = contest(told(0.8 * BEFORE * NOISE), told(BEFORE), rows(2, 20))
    assert verdict.promoted
    assert verdict.saving.low > 0
    assert verdict.saving.pairs == 20


@pytest.mark.parametrize("factor", [1.0, 0.995, 1.2])
def test_what_is_as_good_or_worse_does_not(factor: float) -> None:
    assert "not better" in contest(told(factor * BEFORE), told(BEFORE), rows(2, 20)).reason


def test_a_gain_by_chance_does_not() -> None:
    losses = BEFORE * np.exp(np.random.default_rng(0).normal(scale=1.0, size=40))
    losses *= 0.95 * BEFORE.mean() / losses.mean()
    verdict = contest(told(losses), told(BEFORE), rows(2, 20))
    assert not verdict.promoted
    assert verdict.reason.startswith("not better beyond doubt")


def test_intervals_that_do_not_hold_lose_unless_the_champion_has_worse_ones() -> None:
    better = 0.7 * BEFORE * NOISE
    assert "intervals cover 60%" in contest(told(better, 0.6), told(BEFORE), rows(2, 20)).reason
    assert contest(told(better, 0.6), told(BEFORE, 0.5), rows(2, 20)).promoted


def test_intervals_of_whole_numbers_may_cover_more_for_they_cannot_cover_less() -> None:
    better = 0.7 * BEFORE * NOISE
    assert contest(told(better, 0.94, REAL.integers()), told(BEFORE, 0.79), rows(2, 20)).promoted
    assert not contest(told(better, 0.94), told(BEFORE, 0.79), rows(2, 20)).promoted
    assert not contest(told(better, 0.6, REAL.integers()), told(BEFORE, 0.79), rows(2, 20)).promoted


def test_a_group_that_is_much_worse_loses() -> None:
    losses = np.where(np.arange(40) < 10, 1.5, 0.3) * NOISE  # by unit, these are the lowest quarter
    verdict = contest(told(losses), told(np.ones(40)), rows(2, 20))
    assert not verdict.promoted
    assert "much worse on quarter 1 by unit" in verdict.reason


def test_one_pair_decides_nothing() -> None:
    verdict = contest(told(np.array([0.1])), told(np.array([1.0])), rows(1, 1))
    assert not verdict.promoted
    assert verdict.saving.share == pytest.approx(0.9)


def test_false_promotions_are_as_rare_as_stated() -> None:
    """Of challengers that are as good as the champion, no more than one in twenty is better beyond doubt."""
    rng, wins, trials = np.random.default_rng(1), 0, 200
    for _ in range(trials):
        both = np.exp(rng.normal(scale=0.5, size=(30, 2)))
        wins += compare(both, np.arange(30)).low > 0
    assert stats.binomtest(wins, trials, 0.05, alternative="greater").pvalue > 0.001


@pytest.mark.parametrize(
    ("series", "origins", "apart", "pairs"), [(40, 3, 2, 40), (4, 3, 2, 3), (4, 8, 1, 4), (1, 8, 5, 8)]
)
def test_series_are_the_pairs_where_there_are_enough_and_horizons_where_not(
    series: int, origins: int, apart: int, pairs: int
) -> None:
    before = np.tile(BEFORE[:series], origins)
    saving = versus((told(0.9 * before), told(before), rows(series, origins, apart)))
    assert saving.pairs == pairs
    assert saving.share == pytest.approx(0.1)


@pytest.mark.parametrize(("series", "pairs"), [(40, 40), (4, 6)])
def test_two_parts_have_the_series_in_common_but_not_the_time(series: int, pairs: int) -> None:
    before, both = np.tile(BEFORE[:series], 3), rows(series, 6)
    length = np.where(np.arange(6 * series) % series, both.panel.lengths, 1)  # the first series is a new one
    both = HeldOut(both.panel.cut(length), both.actual)
    early, late = (HeldOut(both.panel.select(np.arange(3 * series) + at), both.actual[:1]) for at in (0, 3 * series))
    saving = versus((told(1.1 * before), told(before), early), (told(0.7 * before), told(before), late))
    assert saving.pairs == pairs
    assert saving.share == pytest.approx(0.1)


def test_series_that_move_together_prove_no_more_than_one() -> None:
    """Eight currencies at eight origins, where what makes one forecast better than another is the day."""
    rng, wins, currencies = np.random.default_rng(2), 0, rows(8, 8)
    for _ in range(200):
        days = np.exp(rng.normal(scale=0.3, size=(8, 2))).repeat(8, 0)
        ours, theirs = (days * np.exp(rng.normal(scale=0.05, size=(64, 2)))).T
        wins += versus((told(ours), told(theirs), currencies)).low > 0
    assert wins <= 30  # eight pairs are few for a bootstrap; by 64 rows it would be 61
