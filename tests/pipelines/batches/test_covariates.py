"""Covariates through every recipe: they count, they help, and a category that nobody has seen is no obstacle."""

import copy
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from numpy import ndarray
from sklearn.linear_model import LinearRegression, Ridge

from forecaster.artifact import Artifact
from forecaster.build import build
from forecaster.manifest import ArtifactSpec, DataSpec, Training
from forecaster.models.linear import Covariates, Linear
from forecaster.spec import FitSpec
from pipelines.batches.covariates import describe, encode
from pipelines.batches.windows import EPOCH, Table, Windows
from pipelines.data.doors import panel_from_frame, panel_from_series
from pipelines.data.panel import Panel
from pipelines.evaluation.split import split
from pipelines.forecasting.ask import Question, ask
from pipelines.forecasting.doubts import unseen
from pipelines.forecasting.predict import Predictions
from pipelines.recipes.recipe import Recipe, recipes
from pipelines.training import automatic
from pipelines.training.baselines import solve
from pipelines.training.plan import Plan
from pipelines.training.regression import EARLY, FAR, PENALTIES, WINDOWS, doubt
from pipelines.training.stages import candidate
from tests.examples import moved

SERIES, STEPS, HORIZON, SEASON = 6, 60, 4, 4
LAGS = 4 * SEASON
AGE = np.arange(LAGS, 0, -1)
ROOT = np.sqrt(np.concatenate([AGE / AGE.mean(), AGE / AGE.mean(), np.ones(3)]))
"""Of how much each column of lag regression is doubted: lags, visits at the same steps, two kinds and the price."""
WITHOUT = {"naive", "seasonal_naive", "theta", "label_frequencies", "label_chain", "whole_constant"}
"""Recipes that by their idea look at nothing but the series itself."""
RECIPES = recipes()
COMING = [name for name, recipe in RECIPES.items() if recipe.kind != "whole series" and name not in WITHOUT]


def panel(recipe: Recipe, kind: str = "a", price: float = 0.0) -> Panel:
    """Series that go up where the price is 1, of whatever the recipe is for; `price` is that of the third step ahead.

    The last series is of the `kind` given.
    """
    random, rows = np.random.default_rng(0), []
    for i in range(SERIES):
        prices = random.integers(0, 2, STEPS + HORIZON).astype(float)
        values = 10 + i + 8 * prices + random.integers(0, 3, STEPS + HORIZON)
        values[STEPS:] = np.nan
        prices[STEPS + 2] = price
        kinds = kind if i == SERIES - 1 else "ab"[i % 2]
        visits = np.where(np.isnan(values), np.nan, random.normal(size=len(values)))
        frame = pd.DataFrame({"y": values, "price": prices, "visits": visits, "kind": kinds, "size": i % 3})
        rows.append(frame.assign(unique_id=f"s{i}", ds=range(len(frame))))
    table: Any = pd.concat(rows, ignore_index=True)
    if recipe.model.kind == "recurrent" and recipe.model.head.family == "bernoulli":
        table["y"] = table["y"].where(table["y"].isna(), table["y"] > 14).astype(float)
    if recipe.kind == "labels":
        table["y"] = table["y"].map(lambda y: None if np.isnan(y) else "high" if y > 14 else "low")
    names: dict[str, Any] = {"known": ["price"], "past": ["visits"], "static": ["kind"]}
    return panel_from_frame(table, **names, whole="size" if recipe.kind == "whole series" else None)


def untrained(recipe: Recipe, data: Panel | None = None) -> Artifact:
    """A model whose parameters are all away from where training starts."""
    data = data or panel(recipe)
    described, horizon = describe(data), HORIZON if data.whole is None else 1
    task = automatic.task(data, described, horizon, 1)
    training = Training(series=len(data), observations=data.total, start=None, until=None, digest=data.digest)
    spec = ArtifactSpec(candidate="x", data=described, task=task, model=recipe.model, training=training, packages={})
    return Artifact(spec, moved(recipe.model, task, 0).eval())


def told(artifact: Artifact, data: Panel) -> np.ndarray:
    """What is expected of each series and step."""
    said = ask(artifact, data, Question(artifact.spec.task.horizon))
    return said.mean[..., None] if isinstance(said, Predictions) else said.probabilities


@pytest.mark.parametrize("name", COMING)
def test_what_is_known_of_a_step_moves_its_forecast(name: str) -> None:
    made = untrained(RECIPES[name])
    cheap, dear = (told(made, panel(RECIPES[name], price=price)) for price in (0.0, 1.0))
    np.testing.assert_array_equal(cheap[:, :2], dear[:, :2])
    assert (cheap[:, 2] != dear[:, 2]).any(-1).all()


@pytest.mark.parametrize("name", RECIPES)
def test_a_category_that_nobody_has_seen_is_said_and_forecast_as_unknown(name: str) -> None:
    """Whatever its name is; the other series do not notice."""
    recipe = RECIPES[name]
    made = untrained(recipe)
    usual, other, another = (panel(recipe, kind) for kind in ("b", "c", "d"))
    (sentence,) = unseen(other, made.spec.data)
    assert sentence == "series 's5', kind: the category 'c' was not there in training; in 1 series read as unknown"
    expected, found = told(made, usual), told(made, other)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:-1], expected[:-1])
    np.testing.assert_array_equal(found, told(made, another))
    assert np.array_equal(found[-1], expected[-1]) == (name in WITHOUT)


@pytest.mark.parametrize("name", COMING)
def test_a_covariate_that_never_moved_in_training_moves_no_forecast(name: str) -> None:
    recipe = RECIPES[name]
    usual = panel(recipe)
    usual = replace(usual, known=np.full_like(usual.known, 4.95), past=usual.past * 0)
    other = replace(usual, known=usual.known + 1, past=usual.past + 1)
    made = untrained(recipe, usual)
    np.testing.assert_array_equal(told(made, other), told(made, usual))
    assert tuple(unseen(usual, made.spec.data)) == ()
    assert tuple(unseen(other, made.spec.data)) == (
        "series 's0', ds 0: the covariate 'price' is 5.95 and never moved in training; 384 times read as 4.95",
        "series 's0', ds 0: the covariate 'visits' is 1 and never moved in training; 360 times read as 0",
    )


def alone(*prices: float, ahead: tuple[float, ...] = ()) -> Panel:
    """One series beside a covariate that is known ahead."""
    known = [{"price": [*prices, *ahead]}]
    return panel_from_series(["a"], [0], [[1.0] * len(prices)], "step", known=known, known_names=["price"])


@pytest.mark.parametrize("prices", [(4.95,) * 200, (0.0,) * 3, (0.1 + 0.2, 0.3), (-1e300,) * 9, (1e-320,) * 3, (7.0,)])
def test_what_differs_by_rounding_has_not_moved(prices: tuple[float, ...]) -> None:
    data = DataSpec.model_validate_json(describe(alone(*prices, ahead=(5.0,))).model_dump_json())
    assert data.known[0].still
    assert not encode(alone(*prices, ahead=(5.0, 1e308, -1e308)), data, 3).known.any()
    (sentence,) = unseen(alone(*prices, ahead=(5.0, 1e308, -1e308)), data)
    assert sentence.startswith(
        f"series 'a', ds {len(prices)}: the covariate 'price' is 5 and never moved in training; 3"
    )


def test_of_what_is_missing_in_training_nothing_is_learned() -> None:
    visits = pd.DataFrame({"ds": range(3), "y": 1.0, "visits": [np.nan, 7.0, np.nan]})
    data = describe(panel_from_frame(visits.assign(visits=np.nan), past=["visits"]))
    made = panel_from_frame(visits, past=["visits"])
    np.testing.assert_array_equal(encode(made, data, 0).past[:, 0], [np.nan, 0, np.nan])
    assert tuple(unseen(made, data)) == (
        "series 'series', ds 1: the covariate 'visits' is 7 and never moved in training; once read as 0",
    )


@pytest.mark.parametrize(
    "prices", [(1.0, 2.0, 4.0), (0.0, 1e200), (-1.7e308, 1.7e308), (1e12, 1e12 + 4), (0.0, 1e-300)]
)
def test_what_moves_is_standardised_whatever_its_size(prices: tuple[float, ...]) -> None:
    data = describe(alone(*prices))
    assert not data.known[0].still
    exact = [Fraction(price) for price in prices]
    mean = sum(exact) / len(exact)
    deviation = Fraction(math.sqrt(sum((one - mean) ** 2 for one in exact) / len(exact) / max(exact) ** 2)) * max(exact)
    expected = [float((one - mean) / deviation) for one in exact]
    np.testing.assert_allclose(encode(alone(*prices), data, 0).known[:, 0], expected, rtol=1e-4)


def small(recipe: Recipe) -> Recipe:
    """The same idea with narrow layers and few updates."""
    model = recipe.model
    if model.kind in ("recurrent", "label_recurrent"):
        model = model.model_copy(update={"core": model.core.model_copy(update={"width": 16, "layers": 1})})
    fit = FitSpec(updates=30, lanes=6, bptt=10, learning_rate=0.02) if recipe.fit is not None else None
    return recipe.model_copy(update={"model": model, "fit": fit})


@pytest.mark.parametrize("name", ["lag_regression", "state_space", "gru", "bidirectional", "labels"])
def test_a_series_that_a_covariate_drives_is_forecast_better_with_it(name: str, tmp_path: Path) -> None:
    recipe = small(RECIPES[name])
    data = panel(recipe)
    deaf = replace(data, known=np.zeros((len(data.known), 0)), known_names=())
    losses: list[float] = []
    for one in (data, deaf):
        described = describe(one)
        task = automatic.task(one, described, HORIZON, 4)
        plan = Plan(
            panel=one,
            split=split(one, task),
            data=described,
            task=task,
            seed=0,
            budget=60.0,
            seconds=60.0,
            folder=tmp_path / str(len(losses)),
            report=lambda *epoch: None,
        )
        losses.append(candidate(plan, name, recipe).loss)
    assert losses[0] < 0.8 * losses[1]


def test_lag_regression_is_the_ridge_regression_of_scikit_learn() -> None:
    """A regression of each step on what all read and on what is known of the step itself, in which windows count by
    the square of their scale in the unit of their series and old lags are shrunk more, with the penalty that is best
    for later windows, of whose absolute errors the regression on what moves in a window says how wide intervals are."""
    data = panel(RECIPES["lag_regression"])
    described = describe(data)
    model = build(RECIPES["lag_regression"].model, automatic.task(data, described, HORIZON, SEASON))
    assert isinstance(model, Linear)
    solve(model, data, described, SEASON)
    border, unit = (EARLY * data.lengths).astype(int), data.frame().groupby("unique_id").y
    units = unit.apply(lambda y: y.diff(SEASON).abs().mean()).to_numpy()
    early = examples(model, data.cut(border), described, units)
    late = examples(model, data, described, units, border)
    errors = {}
    for penalty in PENALTIES:
        fitted = ridges(early, penalty)
        told = np.stack([one.predict(columns) for one, columns in zip(fitted, late.columns / ROOT, strict=True)], 1)
        errors[penalty] = np.abs(told - late.ahead) * late.weight[:, None]
    best = min(PENALTIES, key=lambda penalty: errors[penalty].mean())
    for step, ridge in enumerate(ridges(examples(model, data, described, units), best)):
        np.testing.assert_allclose(model.map.weight[step].detach(), ridge.coef_ / ROOT, rtol=1e-4, atol=1e-5)
        assert model.map.bias[step].item() == pytest.approx(ridge.intercept_, abs=1e-5)
        spread = LinearRegression(positive=True, fit_intercept=False)
        spread.fit(late.moves[:, step] * late.weight[:, None], errors[best][:, step])
        np.testing.assert_allclose(model.deviation[step], np.sqrt(np.pi / 2) * spread.coef_, rtol=1e-4, atol=1e-6)


def test_what_is_long_ago_is_doubted_more_of_each_past_covariate() -> None:
    model = Linear(horizon=2, lags=3, past=2, reads=Covariates(known=1, past=2, static=(2,)))
    assert doubt(model).tolist() == [1.5, 1, 0.5, 1.5, 1.5, 1, 1, 0.5, 0.5, 1, 1, 0]


class Windowed(NamedTuple):
    """Windows as a regression sees them."""

    columns: ndarray
    """Those of each step."""
    ahead: ndarray
    """What came, in scaled units."""
    weight: ndarray
    """The scale over the unit."""
    moves: ndarray
    """One, and the mean absolute changes over one step and over a season in scaled units, and in the phase of each step
    ahead."""


def examples(model: Linear, data: Panel, described: DataSpec, units: ndarray, after: ndarray | None = None) -> Windowed:
    """The windows that the regression draws."""
    shape: dict[str, Any] = {"lanes": WINDOWS // EPOCH, "context": LAGS, "ahead": HORIZON, "seed": 0}
    batches = list(Windows(Table(data, described, unit=units), **shape, after=after).epoch(0))
    target, past, static, known, future, unit = (
        torch.cat([getattr(batch, part) for batch in batches])
        for part in ("target", "past", "static", "known", "future", "unit")
    )
    common, level, scale = model.scaled(target, past, static)
    quarter = slice(LAGS - LAGS // 4, LAGS)
    ahead, lately = ((future - level) / scale).numpy(), common[:, quarter].mean(1, keepdim=True).numpy()
    usable = np.isfinite(ahead).all(1)
    ahead = lately + np.clip(ahead - lately, -FAR, FAR)
    steps = [torch.cat([common, known[:, LAGS + step]], 1)[usable].double().numpy() for step in range(HORIZON)]
    values = (target / scale).numpy()
    one, season = (np.ma.masked_invalid(np.abs(values[:, lag:] - values[:, :-lag])) for lag in (1, SEASON))
    in_all, in_each = season.mean(1).filled(1.0), season.reshape(len(values), -1, SEASON).mean(1)
    shared = [np.ones(len(values)), one.mean(1).filled(1.0), in_all]
    moves = [np.stack([*shared, in_each[:, step].filled(in_all)], 1) for step in range(HORIZON)]
    return Windowed(
        np.stack(steps), ahead[usable], (scale.squeeze(1) / unit).numpy()[usable], np.stack(moves, 1)[usable]
    )


def ridges(windows: Windowed, penalty: float) -> list[Ridge]:
    """A regression for each step, on columns that are the smaller the more they are doubted."""
    squares = windows.weight**2
    ridge = Ridge(alpha=penalty * squares.sum() / np.sqrt(len(squares)))
    return [
        copy.copy(ridge).fit(x / ROOT, y, sample_weight=squares)
        for x, y in zip(windows.columns, windows.ahead.T, strict=True)
    ]


def test_a_cycle_of_the_calendar_is_read_where_the_series_show_it_twice() -> None:
    days = pd.date_range("2024-01-01", periods=13, freq="D")
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": np.arange(13.0)})
    later = frame.assign(unique_id="b", ds=days + pd.Timedelta(days=720))
    assert describe(panel_from_frame(frame)).calendar == ()
    both = describe(panel_from_frame(pd.concat([frame, later], ignore_index=True)))
    assert both.calendar == ("week_sin", "week_cos", "year_sin", "year_cos")
