"""Commands that train: the champion, and what fills gaps."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import (
    Address,
    Budget,
    Data,
    Duplicates,
    EngineName,
    Horizon,
    Name,
    Season,
    Seed,
    Updates,
    Workers,
    Zone,
    columns,
    mendable,
)
from pipelines.training.settings import TrainSettings

app = typer.Typer()


@app.command()
@mendable()
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
    budget: Budget = "5m",
    updates: Updates = None,
    recipe: Annotated[str, typer.Option(help="Candidates by commas: `forecaster recipes`, or YAML files.")] = "",
    search: Annotated[int, typer.Option(min=0, help="Further networks to try, in half of any budget.")] = 0,
    seed: Seed = 0,
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
    from pipelines.runs.engine import engine as engine_of
    from pipelines.training.screen import watched

    settings = TrainSettings.model_validate(
        {
            "source": data,
            "horizon": horizon,
            "target_kind": target_kind,
            "target": target,
            "frequency": freq,
            "season": season,
            "budget": budget,
            "updates": updates,
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
@mendable()
def fill(
    data: Data,
    out: Annotated[Path, typer.Option(help="The filled series as CSV or Parquet, by the ending.")],
    season: Season = None,
    budget: Budget = "60s",
    updates: Updates = None,
    recipe: Annotated[str, typer.Option(help="One that reads in both directions, or a YAML file.")] = "bidirectional",
    seed: Seed = 0,
    name: Name = "forecaster",
    zone: Zone = None,
    duplicates: Duplicates = "error",
) -> None:
    """Fill the gaps of every series of a file: unique_id, ds, y, filled, q0.1, q0.9.

    forecaster fill sales.csv --out filled.csv
    """
    from pipelines.training.fill import run
    from pipelines.training.screen import Screen
    from pipelines.training.settings import FillSettings

    settings = FillSettings.model_validate(
        {
            "source": data,
            "out": out,
            "season": season,
            "budget": budget,
            "updates": updates,
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
    errors = {score: value for score, value in done.metrics.items() if score.startswith("mae")}
    if errors and (best := min(errors, key=lambda rule: errors[rule])) != "mae":
        rule = "between equal places of a season" if best.startswith("mae_season") else "along a line"
        print(f"interpolation {rule} told hidden values better: fill by that, or train for longer")
    for series in done.empty:
        print(f"series {series!r} has no observed value and stays empty")
    print(f"{done.filled} of {done.rows} rows filled in {out}")
