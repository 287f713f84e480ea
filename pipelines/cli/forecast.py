"""Commands that ask the champion: forecasts of what comes, and of what came."""

from functools import partial
from typing import Annotated

import typer

from forecaster.errors import DataError
from pipelines.cli.options import (
    Address,
    Data,
    Duplicates,
    EngineName,
    Horizon,
    Model,
    Name,
    Workers,
    Zone,
    levels_of,
    mendable,
)

app = typer.Typer()


@app.command()
@mendable()
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
    model: Model = None,
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
    from pipelines.champion.bulk import score_shards
    from pipelines.champion.load import chosen
    from pipelines.champion.score import score
    from pipelines.runs.engine import engine as engine_of
    from pipelines.sources.sink import check
    from pipelines.sources.source import source

    levels = levels_of(quantiles)
    if out.endswith("/"):
        write = partial(score_shards, engine=engine_of(engine, workers, address))
    elif (engine, workers, address) != ("processes", None, None):
        remedy = "end --out with / to write a folder, or leave --engine, --workers and --address out"
        raise DataError(f"{out} is one file, which one process writes", remedy=remedy)
    else:
        check(out, data)  # here too, before a model is fetched
        write = partial(score, plain=True)
    rows = write(
        chosen(name, model),
        data,
        horizon,
        out,
        levels,
        paths=paths,
        seed=seed,
        temperature=temperature,
        zone=zone,
        duplicates=duplicates,
    )
    print(f"{rows} rows in {source(out)}")


@app.command()
@mendable()
def backtest(
    data: Data,
    horizon: Horizon = None,
    windows: Annotated[int, typer.Option(min=1, help="Rolling origins, a horizon apart.")] = 3,
    name: Name = "forecaster",
    model: Model = None,
    zone: Zone = None,
    duplicates: Duplicates = "error",
    engine: EngineName = "processes",
    workers: Workers = None,
    address: Address = None,
) -> None:
    """Forecast from past origins and compare with what came, be it what the model has learned from.

    forecaster backtest sales.csv --horizon 28 --windows 4
    """
    from pipelines.champion.load import chosen
    from pipelines.champion.score import rolling
    from pipelines.runs.engine import engine as engine_of

    spread = engine_of(engine, workers, address, alone=True)
    scores = rolling(chosen(name, model), data, horizon, windows, zone=zone, duplicates=duplicates, engine=spread)
    for score, value in scores.items():
        print(f"{score:24} {value:.4f}")
