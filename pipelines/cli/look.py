"""The commands that look and change nothing."""

from typing import Annotated

import typer

from pipelines.cli.options import Data, Duplicates, Model, Name, Zone, mendable

app = typer.Typer()


@app.command()
@mendable()
def gradients(
    data: Data,
    steps: Annotated[int, typer.Option(min=1, help="Recurrent steps to look back.")] = 100,
    name: Name = "forecaster",
    model: Model = None,
    zone: Zone = None,
    duplicates: Duplicates = "error",
) -> None:
    """Show how far back the gradient of a recurrent model reaches; numbers and a figure go to MLflow.

    forecaster gradients sales.csv
    """
    from pipelines.champion.gradients import gradients as look_back

    print(look_back(data, steps, name=name, model=model, zone=zone, duplicates=duplicates))


@app.command()
@mendable()
def recipes() -> None:
    """List the recipes that candidates are made of."""
    from pipelines.recipes.recipe import recipes as known

    for name, recipe in known().items():
        print(f"{name:18} {recipe.summary}")
