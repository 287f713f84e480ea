"""Seasons that are seen where the frequency tells none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.data.season import seen_season

STEPS = 240


def panel(*series: np.ndarray) -> Panel:
    frames = [pd.DataFrame({"unique_id": str(i), "ds": range(len(y)), "y": y}) for i, y in enumerate(series)]
    return panel_from_frame(pd.concat(frames))


def wave(season: int, noise: float, seed: int = 0, steps: int = STEPS) -> np.ndarray:
    time = np.arange(steps)
    return np.sin(time * 2 * np.pi / season) + noise * np.random.default_rng(seed).standard_normal(steps)


@pytest.mark.parametrize(
    ("name", "season"),
    [
        ("m4_hourly_train", 24),
        ("m3_monthly_train", 12),
        ("m3_quarterly_train", 4),
        ("m3_yearly_train", 1),
        ("nn5_daily_train", 7),
        ("taylor_30min", 48),
        ("carparts_monthly_train", 1),
        ("exchange_rate_daily", 1),
        ("us_gasoline_weekly", 52),
        ("aus_tourism_quarterly", 4),
        ("pedestrian_hourly", 24),
    ],
)
def test_published_series_of_which_the_steps_are_only_counted(name: str, season: int, shared: Path) -> None:
    rows = pd.read_csv(shared / f"{name}.csv.gz")[["unique_id", "ds", "y"]]
    rows["ds"] = rows.groupby("unique_id").cumcount()
    assert seen_season(panel_from_frame(rows)) == season


@given(
    season=st.integers(3, 40),
    noise=st.floats(0, 0.4),
    gaps=st.floats(0, 0.2),
    rise=st.floats(-3, 3),
    seed=st.integers(0, 99),
)
@settings(max_examples=60)
def test_a_wave_is_seen_through_noise_gaps_and_a_trend(
    season: int, noise: float, gaps: float, rise: float, seed: int
) -> None:
    steps = 20 * max(season, 10)
    values = wave(season, noise, seed, steps) + np.linspace(0, rise, steps)
    values[1:][np.random.default_rng(seed).random(steps - 1) < gaps] = np.nan
    assert seen_season(panel(values)) == pytest.approx(season, abs=season // 12)


@given(season=st.integers(3, 40), seed=st.integers(0, 99), power=st.integers(-900, 900))
@settings(max_examples=30)
def test_the_unit_of_a_series_does_not_count(season: int, seed: int, power: int) -> None:
    values = wave(season, 0.5, seed)
    assert seen_season(panel(values * 2.0**power)) == seen_season(panel(values))


WITHOUT: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "noise": lambda random: random.standard_normal(STEPS),
    "walk": lambda random: random.standard_normal(STEPS).cumsum(),
    "smooth": lambda random: random.standard_normal(STEPS).cumsum().cumsum(),
    "trend": lambda random: np.arange(STEPS) + 3 * random.standard_normal(STEPS),
    "outbursts": lambda random: np.exp(3 * random.standard_normal(STEPS)),
    "line": lambda random: random.random() * np.arange(STEPS),
    "constant": lambda random: np.full(STEPS, 3.0),
    "once": lambda random: np.repeat([0.0, 1.0], STEPS // 2),
}


def with_outliers_and_gaps(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    values[random.integers(0, STEPS, 2)] += 5 * values.std() + 1
    values[1:][random.random(STEPS - 1) < 0.05] = np.nan
    return values


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("kind", WITHOUT)
def test_where_nothing_comes_back_nothing_is_seen(kind: str, broken: bool) -> None:
    """Of forty tables one may seem to have a season by chance."""
    random = np.random.default_rng(0)
    tables = [WITHOUT[kind](random) for _ in range(40)]
    seen = [seen_season(panel(with_outliers_and_gaps(one, random) if broken else one)) for one in tables]
    assert sum(season > 1 for season in seen) <= 1


def test_series_that_move_together_are_no_proof_of_each_other() -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        market = random.standard_normal(STEPS).cumsum()
        assert seen_season(panel(*(market + 0.3 * random.standard_normal(STEPS).cumsum() for _ in range(30)))) == 1


@pytest.mark.parametrize("length", range(1, 12))
def test_few_values_prove_nothing(length: int) -> None:
    assert seen_season(panel(np.tile([1.0, 5.0, 2.0, 7.0], 3)[:length])) == 1


@pytest.mark.parametrize("rounding", [0.0, 1e-15])
def test_what_is_exactly_repeated_is_seen(rounding: float) -> None:
    values = np.tile([1.0, 5.0, 2.0, 7.0, 3.0], 8)
    assert seen_season(panel(values * (1 + rounding * (np.arange(40) % 3)))) == 5
