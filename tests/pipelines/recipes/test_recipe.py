"""Every recipe goes the whole road: built, trained, saved, loaded, streamed; and a user's own file is one more."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from forecaster.artifact import load_artifact, save
from forecaster.build import build
from forecaster.errors import DataError
from forecaster.model import Numeric
from forecaster.models.ensemble import Ensemble
from forecaster.spec import EnsembleSpec, LabelSpec, Task
from pipelines.batches.covariates import describe
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.evaluation.split import split
from pipelines.forecasting.ask import Question, ask
from pipelines.recipes.recipe import Recipe, choose, recipes
from pipelines.training.plan import Plan
from pipelines.training.stages import candidate
from tests import laws
from tests.examples import batch

TASK = Task(horizon=4, stride=2, seasons=(4,))
OWN = "summary: Mine.\nmodel: {kind: recurrent, core: {cell: ar, width: 6, options: {order: 2, hidden: 3}}}\nfit: {}\n"


MIXED = "summary: Two.\nmodel: {kind: ensemble, members: [{kind: linear}, {kind: recurrent}]}\n"
SOLVED = "summary: Two.\nmodel: {kind: ensemble, members: [{kind: linear}, {kind: seasonal_naive}]}\n"

LABEL_TASK = Task(horizon=4, seasons=(4,), labels=2)


def words() -> Panel:
    values = [["low" if (step + i) % 4 < 2 else "high" for step in range(40)] for i in range(4)]
    return panel_from_series([f"s{i}" for i in range(4)], [0] * 4, values, "step")


def panel() -> Panel:
    random = np.random.default_rng(0)
    values = [(10 * i + 10 + np.sin(np.arange(40)) + random.normal(0, 0.1, 40)).tolist() for i in range(4)]
    return panel_from_series([f"s{i}" for i in range(4)], [0] * 4, values, "step")


def plan(folder: Path, data: Panel, task: Task) -> Plan:
    return Plan(
        panel=data,
        split=split(data, task),
        data=describe(data),
        task=task,
        seed=0,
        budget=60.0,
        seconds=60.0,
        folder=folder,
        report=lambda name, spec, point: None,
    )


def small(recipe: Recipe) -> Recipe:
    """The recipe with a few updates."""
    return recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"updates": 3})}) if recipe.fit else recipe


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_goes_the_whole_road(name: str, tmp_path: Path) -> None:
    recipe = small(recipes()[name])
    assert recipe.summary.endswith(".")
    data, task = (words(), LABEL_TASK) if isinstance(recipe.model, LabelSpec) else (panel(), TASK)
    model = build(recipe.model, task)
    if isinstance(model, Numeric) and model.support.whole:
        data = replace(data, values=np.floor(10 * data.values) % (model.support.high + 1))
    made = candidate(plan(tmp_path, data, task), name, recipe)
    assert np.isfinite(made.loss)
    save(made.artifact, tmp_path / "artifact")
    loaded = load_artifact(tmp_path / "artifact")
    assert loaded.spec == made.artifact.spec
    expected, found = (ask(artifact, data, Question(6)).frame() for artifact in (made.artifact, loaded))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert not expected.isna().any(axis=None)
    if isinstance(loaded.model, Numeric):
        with torch.no_grad():
            laws.model_streams(loaded.model, batch(task, 2, 13, 0))


def test_a_file_of_the_users_is_a_recipe(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    chosen = choose(("gru", str(file)))
    assert list(chosen) == ["gru", "own"]
    made = candidate(plan(tmp_path / "work", panel(), TASK), "own", small(chosen["own"]))
    assert made.artifact.spec.candidate == "own"
    assert made.artifact.model.state_dict()["core.cores.0.core.map.0.weight"].shape == (3, 12)


def test_members_without_gradients_are_solved_as_they_are_alone(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(SOLVED)
    recipe = choose((str(file),))["two"]
    assert isinstance(recipe.model, EnsembleSpec)
    both = candidate(plan(tmp_path / "both", panel(), TASK), "two", recipe).artifact.model
    assert isinstance(both, Ensemble)
    alone = candidate(
        plan(tmp_path / "alone", panel(), TASK), "one", Recipe(summary="One.", model=recipe.model.members[0])
    )
    torch.testing.assert_close(both.members[0].state_dict(), alone.artifact.model.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (OWN.replace("width", "colour"), "own.yaml, model.core: there is no 'colour'; choose from cell, layers,"),
        (OWN + "speed: 3\n", "own.yaml: there is no 'speed'; choose from fit, model,"),
        (OWN.replace("width: 6", "width: 0"), "own.yaml, model.core.width: Input should be greater than"),
        ("summary: Mine.\n", "own.yaml, model: it is missing"),
        ("summary: Mine.\nmodel: {core: {}}\n", "own.yaml, model.kind: it is missing"),
        ("summary: Mine.\nmodel: {kind: recurent}\n", "own.yaml, model.kind: 'recurent' is none of 'recurrent', "),
        ("summary: Mine.\nmodel: {kind: ensemble, members: theta}\n", "own.yaml, model.members: write a list"),
        ("summary: Mine.\nmodel: {kind: recurrent, head: ar}\n", "own.yaml, model.head: write a mapping"),
        ("summary: Mine.\nmodel: gru\n", "own.yaml, model: write a mapping"),
        ("summary: Mine.\nmodel: {kind: recurrent, head: {options: 3}}\n", "own.yaml, model.head.options: write a map"),
        (
            "summary: Mine.\nmodel: {kind: recurrent, head: {options: {x: ~}}}\n",
            "own.yaml, model.head.options.x: Input",
        ),
        ("summary: 2024-02-30\n", "own.yaml: no recipe can be read: day is out of range"),
        (MIXED.replace("linear", "linear, lags: -1"), "own.yaml, model.members.0.lags: Input should be"),
        (OWN.removesuffix("fit: {}\n"), "fit: its weights would stay as they are drawn; add the line fit: {}"),
        (MIXED, "fit: its weights would stay as they are drawn"),
        ("- a list", "no recipe; write a mapping"),
        ("summary: [", "no recipe can be read"),
        ("\udcff", "no recipe can be read"),
        (None, "No such file"),
    ],
)
def test_what_is_no_recipe_is_refused_by_file_and_key(content: str | None, key: str, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    if content is not None:
        file.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(DataError) as caught:
        choose((str(file),))
    assert str(file) in str(caught.value)
    assert key in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("gru", "lstm", "gru"), "two recipes are called 'gru'"),
        (("gru", "{folder}/gru.yaml"), "two recipes are called 'gru'"),
        (("{folder}/my.own.yaml",), "no recipe can be called 'my.own'"),
        (("{folder}/train.yaml",), "no recipe can be called 'train'"),
        (("own",), "no recipe is called 'own'"),
    ],
)
def test_names_that_cannot_be_are_refused(names: tuple[str, ...], message: str, tmp_path: Path) -> None:
    for name in ("gru.yaml", "my.own.yaml", "train.yaml"):
        (tmp_path / name).write_text(OWN)
    with pytest.raises(DataError, match=message):
        choose(tuple(name.format(folder=tmp_path) for name in names))
