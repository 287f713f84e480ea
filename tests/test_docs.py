"""What the docs show is what is there."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from forecaster.build import build
from forecaster.cells import mgu
from forecaster.spec import CoreSpec, FitSpec, HeadSpec, ModelSpec, Task
from pipelines.recipes.recipe import Recipe
from pipelines.training import automatic

DOCS = Path(__file__).parents[1] / "docs"
ADDING = (DOCS / "adding_a_cell.md").read_text()


def blocks(language: str, page: str = ADDING) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)


def test_the_cell_in_the_docs_is_the_file() -> None:
    source = Path(mgu.__file__).read_text()
    assert blocks("python") == [source]
    assert len(source.splitlines()) < 50


@pytest.mark.parametrize("page", ["adding_a_cell.md", "recipes.md"])
def test_the_recipe_in_the_docs_is_one(page: str) -> None:
    (text,) = blocks("yaml", (DOCS / page).read_text())
    build(Recipe.model_validate(yaml.safe_load(text)).model, Task(horizon=2))


def test_the_candidates_in_the_docs_are_those_of_a_job() -> None:
    section = (DOCS / "architecture.md").read_text().partition("## Candidates\n")[2].partition("## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    assert re.findall(r"`(.*?)`", " ".join(rows)) == [*automatic.NUMBERS, *automatic.POSITIVE, *automatic.FEW]
    others = section.rpartition("|")[2]
    assert all(f"`{name}`" in others for name in (*automatic.LABELS, *automatic.WHOLE))
    assert f"{automatic.SHORT} values" in section


def test_the_keys_in_the_docs_are_those_of_recipes() -> None:
    before_mlflow = (DOCS / "recipes.md").read_text().partition("## In MLflow")[0]
    told: dict[str, dict[str, str]] = {}
    kind = "fit"
    for line in before_mlflow.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        *begins, key, default = cells[:-1] if line.startswith("|") else ("", "")
        if key.startswith("`"):
            kind = (begins[0].partition(",")[0].strip("`") or kind) if begins else "fit"
            told.setdefault(kind, {})[key.strip("`")] = default
    specs = {spec.model_fields["kind"].default: spec for spec in get_args(get_args(ModelSpec)[0])}
    assert told == {
        name: {key: _default(field) for key, field in spec.model_fields.items() if key != "kind"}
        for name, spec in {**specs, "core": CoreSpec, "head": HeadSpec, "fit": FitSpec}.items()
    }


def _default(field: FieldInfo) -> str:
    """As the page says it."""
    if isinstance(field.default, BaseModel):
        return "as below"
    if field.is_required():
        return ""
    return "none" if field.default in (None, {}) else str(field.default).lower().removesuffix(".0")
