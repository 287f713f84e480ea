"""The command line `forecaster`."""

import logging
from typing import Annotated

import typer

from pipelines import (
    cli_forecast,
    cli_jobs,
    cli_look,
    cli_models,
    cli_monitor,
    cli_schedule,
    cli_serve,
    cli_train,
)

app = typer.Typer(
    help="Train recurrent forecasting models, compare them in MLflow, and serve the champion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(cli_train.app)
app.add_typer(cli_forecast.app)
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_serve.app)
app.add_typer(cli_jobs.app)
app.add_typer(cli_monitor.app)
app.add_typer(cli_look.app)
app.add_typer(cli_schedule.app, name="schedule")


@app.callback()
def main(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False) -> None:
    """Train recurrent forecasting models, compare them in MLflow, and serve the champion."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
