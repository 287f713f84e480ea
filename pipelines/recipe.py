"""Recipes: candidates by name, each a small YAML file; every recurrent cell is one by itself too."""

from importlib import resources

import yaml

from forecaster.cells import CELLS
from forecaster.errors import DataError
from forecaster.spec import CoreSpec, DataSpec, FitSpec, LabelRecurrentSpec, LabelSpec, ModelSpec, RecurrentSpec, Spec

NUMBERS = ("seasonal_naive", "lag_regression", "gru", "lstm")
"""What a training job compares unless told otherwise, where the data holds numbers."""
LABELS = ("label_frequencies", "label_chain", "labels")
"""The same where it holds labels."""


class Recipe(Spec):
    """A model and how to train it; without `fit` its weights need no gradient descent."""

    summary: str
    model: ModelSpec
    fit: FitSpec | None = None


def recipes() -> dict[str, Recipe]:
    """Every recipe by name.

    >>> "gru" in recipes()
    True
    """
    folder = resources.files("pipelines") / "recipes"
    written = {
        file.name.removesuffix(".yaml"): Recipe.model_validate(yaml.safe_load(file.read_text()))
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }
    cells: dict[str, Recipe] = {}
    for name in CELLS:
        cells |= _of_cell(name)
    return dict(sorted((cells | written).items()))


def _of_cell(name: str) -> dict[str, Recipe]:
    """A streaming network of a cell as it comes, for numbers and for labels."""
    core, fit, summary = CoreSpec(cell=name), FitSpec(), (CELLS[name].__doc__ or name).splitlines()[0]
    labels = CoreSpec(cell=name, width=64)
    return {
        name: Recipe(summary=summary, model=RecurrentSpec(core=core), fit=fit),
        f"labels_{name}": Recipe(summary=f"For labels: {summary}", model=LabelRecurrentSpec(core=labels), fit=fit),
    }


def choose(names: tuple[str, ...], data: DataSpec) -> dict[str, Recipe]:
    """The recipes with the given names, or without any the usual ones; DataError on one that does not suit the data."""
    known = recipes()
    names = names or (LABELS if data.labels else NUMBERS)
    if unknown := [name for name in names if name not in known]:
        raise DataError(f"no recipe is called {unknown[0]!r}", remedy=f"choose from {', '.join(known)}")
    fits = [name for name, recipe in known.items() if isinstance(recipe.model, LabelSpec) == bool(data.labels)]
    if unfit := [name for name in names if name not in fits]:
        there, wanted = ("labels", "numbers") if data.labels else ("numbers", "labels")
        message = f"the recipe {unfit[0]!r} is for {wanted} and the data holds {there}"
        raise DataError(message, remedy=f"choose from {', '.join(fits)}")
    return {name: known[name] for name in names}
