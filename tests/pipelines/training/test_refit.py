"""Trained again on all data, and before that for the test: one that was best early begins again, one late goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecaster.model import Model
from forecaster.spec import FitSpec
from pipelines.data.doors import panel_from_series
from pipelines.forecasting.predict import predict
from pipelines.recipes.recipe import Recipe
from pipelines.training.candidate import Candidate
from pipelines.training.fitting import Point
from pipelines.training.plan import Plan
from pipelines.training.prepare import prepare
from pipelines.training.settings import TrainSettings
from pipelines.training.stages import candidate, refit

RECIPE = Recipe.model_validate(
    {
        "summary": "",
        "model": {"kind": "recurrent", "core": {"cell": "elman", "width": 4, "layers": 1}},
        "fit": {"updates": 10, "lanes": 4},
    }
)


@pytest.fixture
def waves() -> np.ndarray:
    return np.sin(np.arange(90) / 3) + np.random.default_rng(0).normal(0, 0.1, (4, 90))


@pytest.fixture
def plan(home: Path, waves: np.ndarray) -> Plan:
    return planned(home, waves)


def planned(home: Path, waves: np.ndarray) -> Plan:
    panel = panel_from_series([f"s{i}" for i in range(4)], [0] * 4, waves.tolist(), "step")
    settings = TrainSettings(source=home / "none.csv", horizon=4, season=6, budget=60)
    return prepare(settings, panel, {"elman": RECIPE})


def told(one: Candidate, updates: int) -> Candidate:
    """As if the validation had been best after so many updates."""
    point = one.trained.curve[-1]
    return replace(one, trained=replace(one.trained, curve=(Point(replace(point.step, updates=updates), 0.1),)))


def distance(one: Model, other: Model) -> float:
    """The largest difference between two sets of weights."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((mine - theirs).detach().abs().max()) for mine, theirs in pairs)


def slowly(one: Candidate) -> Candidate:
    """Weights stay by where they were."""
    assert one.trained.fit is not None
    fit = one.trained.fit.model_copy(update={"learning_rate": 1e-9})
    return replace(one, trained=replace(one.trained, fit=fit))


def test_where_the_last_training_begins_and_how_long_it_is(plan: Plan) -> None:
    """10 updates at most: 6 are early, and the training on all data is as long; 7 are late, and 0.6 of it is."""
    one = candidate(plan, "elman", RECIPE)
    assert one.trained.start is not None
    assert distance(one.trained.start, one.trained.model) > 1e-3
    for best, near, updates in ((6, one.trained.start, 6), (7, one.trained.model, 4)):
        ends: list[int] = []

        def report(name: str, fit: FitSpec, point: Point, ends: list[int] = ends) -> None:
            ends.append(point.step.updates)

        again = replace(plan, folder=plan.folder / str(best), report=report)
        assert distance(refit(again, slowly(told(one, best))).model, near) < 1e-6
        assert ends[-1] == updates


def test_what_is_tested_knows_all_that_was_before_the_test_and_nothing_of_it(home: Path, waves: np.ndarray) -> None:
    plan = planned(home, waves)
    held_out, before = plan.split.test, plan.split.before
    assert held_out is not None
    assert before is not None
    begin = int(held_out.panel.lengths[0])
    assert before.lengths.tolist() == [begin] * 4
    later, earlier = waves.copy(), waves.copy()
    later[:, begin:] += 1
    earlier[:, begin - 1] += 1
    one, poisoned, other = (candidate(planned(home, data), "elman", RECIPE) for data in (waves, later, earlier))
    assert distance(one.artifact.model, poisoned.artifact.model) == 0
    assert distance(one.artifact.model, other.artifact.model) > 0
    assert poisoned.loss > one.loss
    assert one.artifact.spec.training.digest == before.digest


def test_lag_regression_keeps_a_straight_line_straight(home: Path) -> None:
    """As many steps ahead as the window has, the farthest that a default regression looks."""
    lines = np.arange(120) * np.array([[1.0], [-3.0], [0.1]]) + 5
    panel = panel_from_series(["up", "down", "slow"], [0] * 3, lines.tolist(), "step")
    settings = TrainSettings(source=home / "none.csv", horizon=12, season=1, budget=60)
    recipe = Recipe.model_validate({"summary": "", "model": {"kind": "linear"}})
    artifact = refit(plan := prepare(settings, panel, {"linear": recipe}), candidate(plan, "linear", recipe))
    made = predict(artifact, panel, 12).mean
    expected = lines[:, -1:] + np.arange(1, 13) * np.array([[1.0], [-3.0], [0.1]])
    assert np.allclose(made, expected, rtol=0.05)


def test_intervals_of_young_series_hold_too(home: Path) -> None:
    """Of a model that takes one value, or equal ones, for a series that never moves."""
    random = np.random.default_rng(0)
    levels = 10 + random.normal(0, 1, (160, 60)).cumsum(1) / 4 + random.normal(0, 1, (160, 60))
    panel = panel_from_series([f"s{i}" for i in range(160)], [0] * 160, levels.tolist(), "step")
    settings = TrainSettings(source=home / "none.csv", horizon=3, season=1, budget=60)
    recipe = Recipe.model_validate({"summary": "", "model": {"kind": "linear"}})
    known = panel.cut(panel.lengths - 3)
    artifact = refit(plan := prepare(settings, known, {"linear": recipe}), candidate(plan, "linear", recipe))
    assert artifact.calibrator is not None
    assert list(artifact.calibrator.young) == [1, 2, 4, 8, 16]
    for steps in (1, 2, 3, 5, 8):
        told = predict(artifact, known.last(steps), 3, (0.1, 0.9))
        inside = (told.quantiles[..., 0] <= levels[:, -3:]) & (levels[:, -3:] <= told.quantiles[..., 1])
        assert 0.65 < inside.mean() < 0.95
    claimed = replace(artifact, calibrator=replace(artifact.calibrator, young={}))
    assert not np.ptp(predict(claimed, known.last(1), 3, (0.1, 0.9)).quantiles, -1).any()
