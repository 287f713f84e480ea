"""The command line `forecaster`."""

import logging
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pipelines import cli_jobs, cli_look, cli_models, cli_monitor, cli_schedule, cli_serve
from pipelines.options import (
    Address,
    Data,
    Duplicates,
    EngineName,
    Horizon,
    Name,
    Season,
    Workers,
    Zone,
    columns,
    levels_of,
    mendable,
)
from pipelines.settings import TrainSettings

app = typer.Typer(
    help="Train recurrent forecasting models, compare them in MLflow, and serve the champion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.add_typer(cli_models.app, name="models")
app.add_typer(cli_serve.app)
app.add_typer(cli_jobs.app)
app.add_typer(cli_monitor.app)
app.add_typer(cli_look.app)
app.add_typer(cli_schedule.app, name="schedule")
app.command()(cli_schedule.events)


@app.callback()
def main(verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is done.")] = False) -> None:
    """Train recurrent forecasting models, compare them in MLflow, and serve the champion."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


@app.command()
def train(
    data: Data,
    horizon: Horizon = None,
    target_kind: Annotated[str, typer.Option(help="step: what comes next; series: one thing of each series.")] = "step",
    target: Annotated[str | None, typer.Option(help="Column of text or numbers to tell of whole series.")] = None,
    freq: Annotated[
        str | None,
        typer.Option(help="pandas frequency (h, 30min, D, W-SUN, MS ...); read from the data if left out."),
    ] = None,
    season: Season = None,
    budget: Annotated[str, typer.Option(help="Time for training: 90s, 5m, 1h.")] = "5m",
    recipe: Annotated[str, typer.Option(help="Candidates by commas: `forecaster recipes`, or YAML files.")] = "",
    search: Annotated[int, typer.Option(min=0, help="Further networks to try, in half of the budget.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
    name: Name = "forecaster",
    known: Annotated[str, typer.Option(help="Columns known ahead of time, separated by commas.")] = "",
    past: Annotated[str, typer.Option(help="Columns known up to the present.")] = "",
    static: Annotated[str, typer.Option(help="Columns of categories, one value per series.")] = "",
    zone: Zone = None,
    end: Annotated[str | None, typer.Option(help="The label after which a series is over.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Read nothing later: a date is its first moment.")] = None,
    duplicates: Duplicates = "error",
    engine: EngineName = "processes",
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Train the candidates, backtest them, and promote the best one to champion.

    A column y of words such as idle and busy is a series of labels: it is forecast as probabilities. With --target-kind
    series, one label or one number is told of each series, which the column --target has where it is known.

    Candidates are trained one after another, or side by side with --workers or on Ray. Stopped at any moment, the same
    command goes on where it was.

        forecaster train sales.csv --horizon 28
    """
    from pipelines.engine import engine as engine_of
    from pipelines.screen import watched

    with mendable():
        settings = TrainSettings.model_validate(
            {
                "source": data,
                "horizon": horizon,
                "target_kind": target_kind,
                "target": target,
                "frequency": freq,
                "season": season,
                "budget": budget,
                "search": search,
                "seed": seed,
                "name": name,
                "known": columns(known),
                "past": columns(past),
                "static": columns(static),
                "zone": zone,
                "end": end,
                "as_of": as_of,
                "duplicates": duplicates,
            }
            | ({"recipes": columns(recipe)} if recipe else {})
        )
        watched(settings, engine_of(engine, workers, address, alone=True))


@app.command()
def forecast(
    data: Data,
    out: Annotated[
        str, typer.Option(help="CSV or Parquet by the ending, here or by URL, or a table: url#table; folder/: shards.")
    ],
    horizon: Horizon = None,
    quantiles: Annotated[str, typer.Option(help="Levels between 0 and 1.")] = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9",
    paths: Annotated[int, typer.Option(min=0, help="Joint sample paths, as columns path.1, path.2 ...")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same paths.")] = 0,
    temperature: Annotated[float, typer.Option(min=0, help="Of paths; 0: the likeliest labels, the medians.")] = 1.0,
    name: Name = "forecaster",
    model: Annotated[str | None, typer.Option(help="A version instead of the champion, or an artifact folder.")] = None,
    zone: Zone = None,
    duplicates: Duplicates = "error",
    engine: EngineName = "processes",
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Forecast every series of a file with the champion: unique_id, ds, mean, q0.1 ... q0.9.

    Each path is one way that the steps may go together: sums of a path over steps are right, those of quantiles not.
    Labels are forecast as unique_id, ds, label and a column p.<label> with the probability of each. What is told of
    whole series has a row for each and no ds.

    Parquet that is too large for memory is forecast into a folder, in shards by as many processes as there are cores,
    or by --workers, or on Ray. Stopped at any moment, the same command goes on where it was.

    forecaster forecast sales.csv --horizon 28 --out forecasts.csv

    forecaster forecast sales/ --horizon 28 --out forecasts/ --engine ray
    """
    from pipelines.bulk import score_shards
    from pipelines.engine import engine as engine_of
    from pipelines.score import score
    from pipelines.source import source

    with mendable():
        if out.endswith("/"):
            write = partial(score_shards, engine=engine_of(engine, workers, address))
        else:
            write = partial(score, plain=True)
        rows = write(
            *(data, horizon, out, levels_of(quantiles)),
            paths=paths,
            seed=seed,
            temperature=temperature,
            name=name,
            model=model,
            zone=zone,
            duplicates=duplicates,
        )
        print(f"{rows} rows in {source(out)}")


@app.command()
def fill(
    data: Data,
    out: Annotated[Path, typer.Option(help="The filled series as CSV or Parquet, by the ending.")],
    season: Season = None,
    budget: Annotated[str, typer.Option(help="Time for training: 90s, 5m, 1h.")] = "60s",
    recipe: Annotated[str, typer.Option(help="One that reads in both directions, or a YAML file.")] = "bidirectional",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same values.")] = 0,
    name: Name = "forecaster",
    zone: Zone = None,
    duplicates: Duplicates = "error",
) -> None:
    """Fill the gaps of every series of a file: unique_id, ds, y, filled, q0.1, q0.9.

    forecaster fill sales.csv --out filled.csv
    """
    from pipelines.fill import run
    from pipelines.screen import Screen
    from pipelines.settings import FillSettings

    with mendable():
        settings = FillSettings.model_validate(
            {
                "source": data,
                "out": out,
                "season": season,
                "budget": budget,
                "recipe": recipe,
                "seed": seed,
                "name": name,
                "zone": zone,
                "duplicates": duplicates,
            }
        )
        with Screen() as screen:
            done = run(settings, screen.report)
        for score, value in done.metrics.items():
            print(f"{score:24} {value:.4f}")
        for series in done.empty:
            print(f"series {series!r} has no observed value and stays empty")
        print(f"{done.filled} of {done.rows} rows filled in {out}")


@app.command()
def backtest(
    data: Data,
    horizon: Horizon = None,
    windows: Annotated[int, typer.Option(min=1, help="Rolling origins, a horizon apart.")] = 3,
    name: Name = "forecaster",
    model: Annotated[str | None, typer.Option(help="A version instead of the champion, or an artifact folder.")] = None,
    zone: Zone = None,
    duplicates: Duplicates = "error",
    engine: EngineName = "processes",
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Forecast from past origins and compare with what came.

    forecaster backtest sales.csv --horizon 28 --windows 4
    """
    from pipelines.engine import engine as engine_of
    from pipelines.score import rolling

    with mendable():
        spread = engine_of(engine, workers, address, alone=True)
        for score, value in rolling(
            data, horizon, windows, name=name, model=model, zone=zone, duplicates=duplicates, engine=spread
        ).items():
            print(f"{score:24} {value:.4f}")
