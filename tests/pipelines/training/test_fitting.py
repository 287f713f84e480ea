"""Training inside a job: the best epoch is kept, the budget is kept, lanes and windows go through one loop."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from forecaster.build import build
from forecaster.model import Model
from forecaster.spec import CoreSpec, FitSpec, RecurrentSpec, Task
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Lanes, Table, Windows
from pipelines.data.doors import panel_from_series
from pipelines.training import fitting
from pipelines.training.fitting import batches, best, read_curve, train, within

TASK = Task(horizon=4, stride=2, seasons=(4,))
SPEC = FitSpec(updates=120, lanes=8, bptt=6)


def model() -> Model:
    return build(RecurrentSpec(core=CoreSpec(cell="gru", width=8, layers=1)), TASK)


def table() -> Table:
    random = np.random.default_rng(0)
    waves = np.sin(np.arange(80) * 2 * np.pi / 7)  # not of the season that the task names: something to learn
    values = [(10 * i + 10 + waves + random.normal(0, 0.1, 80)).tolist() for i in range(6)]
    panel = panel_from_series([f"s{i}" for i in range(6)], [0] * 6, values, "step")
    return Table(panel, describe(panel))


@pytest.mark.parametrize(("sampling", "kind"), [("lanes", Lanes), ("windows", Windows)])
def test_lanes_and_windows_go_through_one_loop(sampling: str, kind: type, tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"sampling": sampling})
    made = model()
    data = batches(table(), made, spec)
    assert isinstance(data, kind)
    curve = train(made, data, spec, tmp_path)
    assert curve[-1].step.loss < 0.9 * curve[0].step.loss
    assert curve[-1].step.updates == spec.updates


@pytest.mark.parametrize("whole", [False, True])
def test_series_begin_later_but_for_those_that_an_answer_is_told_of(whole: bool) -> None:
    panel = panel_from_series(["a"], [0], [[float(step) for step in range(1, 81)]], "step")
    counted, made = Table(panel, describe(panel)), model()
    counted.answers = torch.zeros(2, dtype=torch.float64) if whole else None
    data = batches(counted, made, SPEC.model_copy(update={"bptt": 80}))  # a chunk holds the series
    begun = {float(row[~row.isnan()][0]) for batch in data.epoch(0) for row in batch.target[batch.reset]}
    assert max(begun) <= 80 / 4
    assert (max(begun) > 80 / 8) is not whole


def test_the_weights_of_the_best_epoch_are_kept_and_training_stops_when_nothing_gets_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "PATIENCE", 2)
    scores, seen = iter([3.0, 1.0, 2.0, 2.0, 0.5]), []

    def validate(trained: Model) -> float:
        seen.append({name: value.clone() for name, value in trained.state_dict().items()})
        return next(scores)

    made = model()
    spec = SPEC.model_copy(update={"updates": 1000})
    curve = train(made, batches(table(), made, spec), spec, tmp_path, validate=validate)
    assert [point.validation for point in curve] == [3.0, 1.0, 2.0, 2.0]
    assert best(curve) == curve[1]
    assert all(torch.equal(value, seen[1][name]) for name, value in made.state_dict().items())
    assert not made.training
    assert read_curve(tmp_path / "curve.json") == curve


def test_an_epoch_without_a_validation_is_not_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "PATIENCE", 2)
    scores, seen = iter([3.0, 1.0, math.nan, math.nan]), []

    def validate(trained: Model) -> float:
        seen.append({name: value.clone() for name, value in trained.state_dict().items()})
        return next(scores)

    made = model()
    spec = SPEC.model_copy(update={"updates": 1000})
    assert best(train(made, batches(table(), made, spec), spec, tmp_path, validate=validate)).step.epoch == 1
    assert all(torch.equal(value, seen[1][name]) for name, value in made.state_dict().items())


def test_a_budget_shortens_the_training_and_is_measured_once(tmp_path: Path) -> None:
    made, spec = model(), SPEC.model_copy(update={"updates": 10**6})
    data = batches(table(), made, spec)
    before = {name: value.clone() for name, value in made.state_dict().items()}
    short = within(2.0, made, data, spec, tmp_path)
    assert 20 <= short.updates < 10**5
    assert within(1e9, made, data, spec, tmp_path) == short, "after a crash the job trains as long as it would have"
    assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
    assert within(1e9, made, data, SPEC, tmp_path / "..") == SPEC
