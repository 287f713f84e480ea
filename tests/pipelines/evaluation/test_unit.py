"""The unit of a series: what seasonal naive errs by in it, or something else, or nothing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecaster.model import Model
from forecaster.spec import CoreSpec, FitSpec, RecurrentSpec
from forecaster.train import Batches
from pipelines.batches.windows import Table
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.evaluation.unit import naive_error, unit
from pipelines.recipes.recipe import Recipe
from pipelines.training.fitting import batches
from pipelines.training.prepare import prepare
from pipelines.training.settings import TrainSettings
from pipelines.training.stages import candidate

nan = np.nan


def read(series: dict[str, np.ndarray]) -> Panel:
    frames = [pd.DataFrame({"unique_id": name, "ds": range(len(y)), "y": y}) for name, y in series.items()]
    return panel_from_frame(pd.concat(frames))


def test_it_is_the_error_of_seasonal_naive_or_else_of_naive() -> None:
    wave = np.tile([0.1, 0.7, -0.3], 6)
    panel = read(
        {
            "usual": np.array([1.0, 5.0, 2.0, 6.0, 3.0, 9.0, nan, 7.0]),
            "every third": np.array([1.0, nan, nan, 4.0, nan, nan, 9.0]),
            "every second": np.array([1.0, nan, 4.0, nan, 9.0]),
            "repeated": wave + 1e-9 * np.arange(18),  # what is left of it is rounding
            "short": np.array([4.0, 6.0, 9.0]),
            "constant": np.full(9, 5.0),
            "one": np.array([3.0]),
            "large": np.array([1e307, -1e307] * 20),
        }
    )
    naive, own = (dict(zip(panel.ids, values, strict=True)) for values in (naive_error(panel, 3), unit(panel, 3)))
    assert naive["usual"] == own["usual"] == 4.5  # 5, 2, 7, a gap, 4
    assert naive["every third"] == own["every third"] == 4.0
    assert naive["repeated"] == pytest.approx(3e-9, rel=1e-6)
    assert own["repeated"] == pytest.approx(np.abs(np.diff(wave)).mean())
    assert own["short"] == 2.5
    assert naive["constant"] == 0
    assert naive["large"] == pytest.approx(2e307)
    for name in ("every second", "constant", "one"):
        assert np.isnan(own[name]), name


def test_training_counts_errors_in_the_units_of_what_it_learns_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    panel = read({name: size * random.normal(size=120) for name, size in (("a", 1.0), ("b", 50.0))})
    units: list[np.ndarray] = []

    def spy(table: Table, model: Model, spec: FitSpec) -> Batches:
        units.append(table.unit.numpy())
        return batches(table, model, spec)

    monkeypatch.setattr("pipelines.training.stages.batches", spy)
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(summary="x", model=RecurrentSpec(core=CoreSpec(width=4, layers=1)), fit=FitSpec(updates=20))
    plan = prepare(TrainSettings(source="x", horizon=4, season=6, budget=60.0), panel, {"x": recipe})
    candidate(plan, "x", recipe)
    assert plan.split.before is not None
    assert len(units) > 1
    np.testing.assert_array_equal(units[0], [*unit(plan.split.train, 6), nan])
    np.testing.assert_array_equal(units[-1], [*unit(plan.split.before, 6), nan])
