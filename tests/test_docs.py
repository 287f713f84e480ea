"""What the docs show is what is there."""

import re
from pathlib import Path

import yaml

from forecaster.build import build
from forecaster.cells import mgu
from forecaster.spec import Task
from pipelines.recipes.recipe import Recipe
from pipelines.training import automatic

DOCS = Path(__file__).parents[1] / "docs"
ADDING = (DOCS / "adding_a_cell.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", ADDING, flags=re.DOTALL)


def test_the_cell_in_the_docs_is_the_file() -> None:
    source = Path(mgu.__file__).read_text()
    assert blocks("python") == [source]
    assert len(source.splitlines()) < 50


def test_the_recipe_in_the_docs_is_one() -> None:
    (text,) = blocks("yaml")
    build(Recipe.model_validate(yaml.safe_load(text)).model, Task(horizon=2))


def test_the_candidates_in_the_docs_are_those_of_a_job() -> None:
    section = (DOCS / "architecture.md").read_text().partition("## Candidates\n")[2].partition("## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    assert re.findall(r"`(.*?)`", " ".join(rows)) == [*automatic.NUMBERS, *automatic.POSITIVE, *automatic.FEW]
    others = section.rpartition("|")[2]
    assert all(f"`{name}`" in others for name in (*automatic.LABELS, *automatic.WHOLE))
    assert f"{automatic.SHORT} values" in section
