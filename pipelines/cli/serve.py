"""Commands that start servers of the champion, or pack it for one."""

import os
import sys
from typing import Annotated

import typer

from pipelines.cli.options import Budget, Name, Version, mendable
from pipelines.training.settings import TrainSettings

app = typer.Typer()


@app.command()
@mendable()
def serve(
    name: Name = "forecaster",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    model: Version = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
) -> None:
    """Serve the champion: POST /forecast. Another champion is served within seconds; a version that is named stays."""
    from pipelines.registry.commands import serving
    from pipelines.registry.fetch import copies, resolve
    from pipelines.registry.follow import beside

    champion = resolve(name, model)
    command = serving("--host", host, "--port", str(port), "--workers", str(workers))
    if model is None:
        command += ["--parent", str(os.getpid())]
        raise typer.Exit(beside([*command, str(copies().note(name))], name))
    command += [str(champion.folder), "--name", name, "--version", champion.version]
    os.execv(sys.executable, command)


@app.command()
@mendable()
def package(
    name: Name = "forecaster",
    model: Version = None,
) -> None:
    """Build a Bento of the champion: it serves without this repository and without MLflow."""
    from pipelines.registry.commands import packing
    from pipelines.registry.fetch import resolve

    os.execv(sys.executable, packing(resolve(name, model)))


@app.command()
@mendable()
def demo(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the service.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(min=1, max=65535, help="Of the MLflow UI.")] = 5000,
    budget: Budget = "60s",
    retrain: Annotated[bool, typer.Option("--retrain", help="Train again though there is a champion.")] = False,
) -> None:
    """Train on the bundled sample, then serve the champion and the MLflow UI until Ctrl-C."""
    from pipelines.cli.demo import HORIZON, NAME, ZONE, champion, sample, serve
    from pipelines.training.screen import watched

    settings = TrainSettings.model_validate(
        {"source": sample(), "horizon": HORIZON, "budget": budget, "name": NAME, "zone": ZONE}
    )
    live = champion(lambda: watched(settings), retrain)
    serve(live, port, mlflow_port)
