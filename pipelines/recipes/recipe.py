"""Recipes: candidates by name, each a small YAML file; every recurrent cell is one by itself too."""

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from forecaster.cells import CELLS
from forecaster.errors import DataError
from forecaster.spec import (
    CoreSpec,
    EnsembleSpec,
    FitSpec,
    LabelRecurrentSpec,
    LabelSpec,
    ModelSpec,
    RecurrentSpec,
    Spec,
    StateSpaceSpec,
    WholeSpec,
)
from pipelines.written import read_yaml

ENDING = ".yaml"
TAKEN = ("ensemble", "model", "train")
"""Names of a job's own runs and models, which no recipe may have."""


Kind = Literal["numbers", "labels", "whole series"]
"""What is to be told: the next steps of numbers or of labels, or one thing of each series."""


class Recipe(Spec):
    """A model and how to train it; without `fit` its weights need no gradient descent."""

    summary: str
    model: ModelSpec
    fit: FitSpec | None = None
    null_model: bool = False
    """Whether it says that there is nothing to be learned: kept until another is better beyond doubt, or by much."""

    @property
    def kind(self) -> Kind:
        """What it is for."""
        if isinstance(self.model, WholeSpec):
            return "whole series"
        return "labels" if isinstance(self.model, LabelSpec) else "numbers"


def recipes() -> dict[str, Recipe]:
    """Every recipe by name.

    >>> "gru" in recipes()
    True
    """
    folder = resources.files("pipelines.recipes")
    written = {file.name.removesuffix(ENDING): read(file) for file in folder.iterdir() if file.name.endswith(ENDING)}
    cells: dict[str, Recipe] = {}
    for name in CELLS:
        cells |= _of_cell(name)
    return dict(sorted((cells | written).items()))


def _of_cell(name: str) -> dict[str, Recipe]:
    """A streaming network of a cell as it comes, for numbers, for labels and for whole series."""
    core, fit, summary = CoreSpec(cell=name), FitSpec(), (CELLS[name].__doc__ or name).splitlines()[0]
    small = CoreSpec(cell=name, width=64)
    return {
        name: Recipe(summary=summary, model=RecurrentSpec(core=core), fit=fit),
        f"labels_{name}": Recipe(summary=f"For labels: {summary}", model=LabelRecurrentSpec(core=small), fit=fit),
        f"whole_{name}": Recipe(summary=f"For whole series: {summary}", model=WholeSpec(core=small), fit=fit),
    }


def read(file: Traversable) -> Recipe:
    """The recipe in a YAML file. Raises DataError, which names the file and the key, on what is none."""
    recipe = read_yaml(file, TypeAdapter(Recipe), "recipe")
    if recipe.fit is None and _learns(recipe.model):
        raise DataError("its weights would stay as they are drawn", place=f"{file}, fit", remedy="add the line fit: {}")
    return recipe


def _learns(model: ModelSpec) -> bool:
    """Whether weights come from gradient descent."""
    if isinstance(model, EnsembleSpec):
        return any(map(_learns, model.members))
    by_gradient = RecurrentSpec | StateSpaceSpec | LabelRecurrentSpec
    return isinstance(model, by_gradient) or (isinstance(model, WholeSpec) and model.core is not None)


def choose(names: tuple[str, ...], kind: Kind = "numbers") -> dict[str, Recipe]:
    """The recipes with the given names.

    A name that ends in `.yaml` is a file of the user's, and its recipe is called by the file's stem. Raises DataError
    on an unknown one, on a file that cannot be read, on two of the same name, and on one for other data.
    """
    chosen: dict[str, Recipe] = {}
    for name in names:
        title, recipe = _find(name)
        if title in chosen:
            raise DataError(f"two recipes are called {title!r}", remedy="leave one out or rename it")
        if recipe.kind != kind:
            raise DataError(
                f"the recipe {title!r} is for {recipe.kind} and the target is {kind}",
                remedy=f"choose from {', '.join(name for name, one in recipes().items() if one.kind == kind)}",
            )
        chosen[title] = recipe
    return chosen


def _find(name: str) -> tuple[str, Recipe]:
    """A recipe and what a job calls it."""
    if not name.endswith(ENDING):
        known = recipes()
        if name not in known:
            remedy = f"choose from {', '.join(known)}, or give a {ENDING} file"
            raise DataError(f"no recipe is called {name!r}", remedy=remedy)
        return name, known[name]
    title = Path(name).stem
    if not re.fullmatch(r"[A-Za-z0-9_-]+", title) or title in TAKEN:
        raise DataError(
            f"no recipe can be called {title!r}",
            remedy=f"name the file by letters, digits, dash and underscore, and not {', '.join(TAKEN)}",
        )
    return title, read(Path(name))
