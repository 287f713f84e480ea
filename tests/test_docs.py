"""What the docs show is what is there."""

import re
from pathlib import Path

import yaml

from forecaster.build import build
from forecaster.cells import mgu
from forecaster.spec import Task
from pipelines.recipe import Recipe

ADDING = (Path(__file__).parents[1] / "docs" / "adding_a_cell.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", ADDING, flags=re.DOTALL)


def test_the_cell_in_the_docs_is_the_file() -> None:
    source = Path(mgu.__file__).read_text()
    assert blocks("python") == [source]
    assert len(source.splitlines()) < 50


def test_the_recipe_in_the_docs_is_one() -> None:
    (text,) = blocks("yaml")
    build(Recipe.model_validate(yaml.safe_load(text)).model, Task(horizon=2))
