"""A search over recipes: reproducible, resumable, and each trial a run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from forecaster.errors import DataError
from forecaster.spec import FitSpec
from pipelines.cli.app import app
from pipelines.runs.engine import Processes
from pipelines.tracking.connection import connect
from pipelines.training import search as module
from pipelines.training.candidate import Candidate
from pipelines.training.job import train
from pipelines.training.plan import Plan
from pipelines.training.settings import TrainSettings


@pytest.fixture
def settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> TrainSettings:
    """Four noisy waves, and trainings of a few updates."""
    monkeypatch.setattr(module, "STARTS", 2)
    rng, steps = np.random.default_rng(0), np.arange(160)
    waves = [10 + i + 3 * np.sin(steps * np.pi / 3) + rng.normal(0, 0.5, 160) for i in range(4)]
    frames = [pd.DataFrame({"unique_id": f"s{i}", "ds": steps, "y": wave}) for i, wave in enumerate(waves)]
    pd.concat(frames).to_csv(home / "waves.csv", index=False)
    told = {"source": "waves.csv", "horizon": 6, "season": 6, "recipes": ("seasonal_naive",), "updates": 30}
    return TrainSettings.model_validate(told | {"search": 5})


def runs(name: str) -> dict[str, dict[str, str]]:
    """The parameters of every trial."""
    experiment = connect().get_experiment_by_name(name)
    assert experiment is not None
    found = connect().search_runs([experiment.experiment_id])
    return {run.info.run_name: run.data.params for run in found if run.info.run_name.startswith("trial_")}


def test_the_same_seed_searches_the_same_and_each_trial_is_a_run(settings: TrainSettings) -> None:
    one = train(settings.model_copy(update={"name": "one"}))
    two = train(settings.model_copy(update={"name": "two"}))
    assert runs("one") == runs("two")
    assert sorted(runs("one")) == [f"trial_{i:03}" for i in range(5)]
    (found,) = [each for each in one.candidates if each.name.startswith("trial_")]
    assert [each.loss for each in one.candidates] == [each.loss for each in two.candidates]
    assert found.artifact.spec.fit is not None
    assert found.artifact.spec.fit.updates == 30
    trained = {name for name, params in runs("one").items() if "pruned" not in params}
    assert found.name in trained
    for result in (one, two):
        result.forget()


def test_what_was_tried_before_a_crash_is_not_tried_again(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    attempt = module._attempt

    def counted(plan: Plan, task: module.Trial) -> Candidate | None:
        if len(tried) == 3:
            tried.append("crash")
            raise KeyboardInterrupt
        tried.append(task.name)
        return attempt(plan, task)

    monkeypatch.setattr(module, "_attempt", counted)
    with pytest.raises(KeyboardInterrupt):
        train(settings)
    train(settings).forget()
    assert tried == ["trial_000", "trial_001", "trial_002", "crash", "trial_004", "trial_005"]


def test_where_no_trial_can_be_judged_the_search_ends_and_the_job_goes_on_without_it(
    settings: TrainSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A series that repeats itself has no unit, and errors in it are NaN."""
    week = pd.DataFrame({"unique_id": "week", "ds": range(140), "y": np.tile(np.arange(1.0, 8.0), 20)})
    week.to_csv("waves.csv", index=False)
    tried: list[str] = []
    attempt = module._attempt

    def counted(plan: Plan, task: module.Trial) -> Candidate | None:
        tried.append(task.name)
        assert len(tried) <= 2
        return attempt(plan, task)

    monkeypatch.setattr(module, "_attempt", counted)
    result = train(settings.model_copy(update={"season": 7, "search": 2}))
    assert sorted(runs("forecaster")) == tried == ["trial_000", "trial_001"]
    assert [one.name for one in result.candidates] == ["seasonal_naive"]
    assert "the search found nothing" in caplog.text
    result.forget()


def test_a_trial_whose_training_diverges_is_given_up(settings: TrainSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = module._attempt

    def wild(plan: Plan, task: module.Trial) -> Candidate | None:
        if task.name == "trial_000":
            task = replace(task, recipe=task.recipe.model_copy(update={"fit": FitSpec(learning_rate=1e30)}))
        return attempt(plan, task)

    monkeypatch.setattr(module, "_attempt", wild)
    result = train(settings.model_copy(update={"search": 2}))
    assert ["pruned" in params for _, params in sorted(runs("forecaster").items())] == [True, False]
    assert "trial_001" in {one.name for one in result.candidates}
    result.forget()


@pytest.mark.parametrize("kind", ["processes", "ray"])
def test_trials_are_spread(settings: TrainSettings, kind: str, request: pytest.FixtureRequest) -> None:
    engine = Processes(2) if kind == "processes" else request.getfixturevalue("ray")
    result = train(settings.model_copy(update={"search": 2}), engine=engine)
    assert sorted(runs("forecaster")) == ["trial_000", "trial_001"]
    result.forget()


def test_a_search_needs_something_held_out(home: Path) -> None:
    pd.DataFrame({"unique_id": "a", "ds": range(8), "y": range(8)}).to_csv(home / "short.csv", index=False)
    told = {"source": "short.csv", "horizon": 6, "search": 3}
    with pytest.raises(DataError, match="too short to search"):
        train(TrainSettings.model_validate(told))
    result = CliRunner().invoke(app, ["train", "short.csv", "--horizon", "6", "--search", "3"])
    assert result.exit_code == 2
