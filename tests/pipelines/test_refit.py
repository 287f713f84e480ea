"""The last training, on all data: a network that was best early begins again, one that was best late goes on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forecaster.model import Model
from forecaster.spec import FitSpec
from pipelines import job
from pipelines.fitting import Point
from pipelines.panel import panel_from_series
from pipelines.recipe import Recipe
from pipelines.settings import TrainSettings
from pipelines.train import Candidate, Plan, candidate, refit

RECIPE = Recipe.model_validate(
    {
        "summary": "",
        "model": {"kind": "recurrent", "core": {"cell": "elman", "width": 4, "layers": 1}},
        "fit": {"updates": 10, "lanes": 4},
    }
)


@pytest.fixture
def plan(home: Path) -> Plan:
    waves = np.sin(np.arange(90) / 3) + np.random.default_rng(0).normal(0, 0.1, (4, 90))
    panel = panel_from_series([f"s{i}" for i in range(4)], [0] * 4, waves.tolist(), "step")
    settings = TrainSettings(source=home / "none.csv", horizon=4, season=6, budget=60)
    return job.prepare(settings, panel, {"elman": RECIPE})


def told(one: Candidate, updates: int) -> Candidate:
    """As if the validation had been best after so many updates."""
    point = one.curve[-1]
    return replace(one, curve=[Point(replace(point.step, updates=updates), 0.1)])


def distance(one: Model, other: Model) -> float:
    """The largest difference between two sets of weights."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((mine - theirs).detach().abs().max()) for mine, theirs in pairs)


def slowly(one: Candidate) -> Candidate:
    """Weights stay by where they were."""
    spec = one.artifact.spec
    assert spec.fit is not None
    fit = spec.fit.model_copy(update={"learning_rate": 1e-9})
    return replace(one, artifact=replace(one.artifact, spec=spec.model_copy(update={"fit": fit})))


def test_where_the_last_training_begins_and_how_long_it_is(plan: Plan) -> None:
    """10 updates at most: 6 are early, and the training on all data is as long; 7 are late, and 0.6 of it is."""
    one = candidate(plan, "elman", RECIPE)
    assert one.start is not None
    assert distance(one.start, one.artifact.model) > 1e-3
    for best, near, updates in ((6, one.start, 6), (7, one.artifact.model, 4)):
        ends: list[int] = []

        def report(name: str, fit: FitSpec, point: Point, ends: list[int] = ends) -> None:
            ends.append(point.step.updates)

        again = replace(plan, folder=plan.folder / str(best), report=report)
        assert distance(refit(again, slowly(told(one, best))).model, near) < 1e-6
        assert ends[-1] == updates
