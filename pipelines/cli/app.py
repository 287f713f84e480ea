"""The command line `forecaster`."""

import logging
from typing import Annotated

import typer

from pipelines.cli import forecast, jobs, look, models, monitor, schedule, serve, streams, train

app = typer.Typer(
    help="Train recurrent forecasting models, compare them in MLflow, and serve the champion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(train.app)
app.add_typer(forecast.app)
app.add_typer(models.app, name="models")
app.add_typer(serve.app)
app.add_typer(streams.app, name="streams")
app.add_typer(jobs.app)
app.add_typer(monitor.app)
app.add_typer(look.app)
app.add_typer(schedule.app, name="schedule")


@app.callback()
def main(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False) -> None:
    """Train recurrent forecasting models, compare them in MLflow, and serve the champion."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )
