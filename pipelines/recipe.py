"""Recipes: candidates by name, each a small YAML file; every recurrent cell is one by itself too."""

from importlib import resources

import yaml

from forecaster.cells import CELLS
from forecaster.errors import DataError
from forecaster.spec import CoreSpec, FitSpec, ModelSpec, RecurrentSpec, Spec

DEFAULT = ("seasonal_naive", "lag_regression", "gru", "lstm")
"""What a training job compares unless told otherwise."""


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
    return dict(sorted(({name: _of_cell(name) for name in CELLS} | written).items()))


def _of_cell(name: str) -> Recipe:
    """A streaming network of a cell as it comes."""
    summary = (CELLS[name].__doc__ or name).splitlines()[0]
    return Recipe(summary=summary, model=RecurrentSpec(core=CoreSpec(cell=name)), fit=FitSpec())


def choose(names: tuple[str, ...]) -> dict[str, Recipe]:
    """The recipes with the given names; raises DataError on an unknown one."""
    known = recipes()
    if unknown := [name for name in names if name not in known]:
        raise DataError(f"no recipe is called {unknown[0]!r}", remedy=f"choose from {', '.join(known)}")
    return {name: known[name] for name in names}
