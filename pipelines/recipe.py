"""Recipes: candidates by name, each a small YAML file; every recurrent cell is one by itself too."""

import re
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import yaml
from pydantic import ValidationError

from forecaster.cells import CELLS
from forecaster.errors import DataError
from forecaster.spec import CoreSpec, FitSpec, ModelSpec, RecurrentSpec, Spec

DEFAULT = ("seasonal_naive", "lag_regression", "gru", "lstm")
"""What a training job compares unless told otherwise."""
ENDING = ".yaml"
TAKEN = ("ensemble", "model", "train")
"""What a job calls what it makes of its candidates, and itself."""


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
    written = {file.name.removesuffix(ENDING): read(file) for file in folder.iterdir() if file.name.endswith(ENDING)}
    return dict(sorted(({name: _of_cell(name) for name in CELLS} | written).items()))


def _of_cell(name: str) -> Recipe:
    """A streaming network of a cell as it comes."""
    summary = (CELLS[name].__doc__ or name).splitlines()[0]
    return Recipe(summary=summary, model=RecurrentSpec(core=CoreSpec(cell=name)), fit=FitSpec())


def read(file: Traversable) -> Recipe:
    """The recipe in a YAML file. Raises DataError, which names the file and the key, on what is none."""
    try:
        return Recipe.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(map(str, problem["loc"]))
        raise DataError(problem["msg"], place=f"{file}, {key}" if key else str(file)) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"no recipe can be read: {error}", place=str(file)) from None


def choose(names: tuple[str, ...]) -> dict[str, Recipe]:
    """The recipes with the given names, of which each that ends in `.yaml` is a file of the user's, called by its stem.

    Raises DataError on an unknown one, on a file that cannot be read, and on two of the same name.
    """
    known = recipes()
    chosen: dict[str, Recipe] = {}
    for name in names:
        own = name.endswith(ENDING)
        title = Path(name).stem if own else name
        if not own and name not in known:
            raise DataError(
                f"no recipe is called {name!r}", remedy=f"choose from {', '.join(known)}, or give a {ENDING} file"
            )
        if not re.fullmatch(r"[A-Za-z0-9_-]+", title) or title in TAKEN:
            raise DataError(
                f"no recipe can be called {title!r}",
                remedy=f"name the file by letters, digits, dash and underscore, and not {', '.join(TAKEN)}",
            )
        if title in chosen:
            raise DataError(f"two recipes are called {title!r}", remedy="leave one out or rename it")
        chosen[title] = read(Path(name)) if own else known[name]
    return chosen
