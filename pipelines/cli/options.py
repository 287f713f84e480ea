"""What the commands share: their options, and errors that end in one line."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import ValidationError

from forecaster.errors import ArtifactError, DataError
from pipelines.faults import AGAIN, passing
from pipelines.written import faults

Data = Annotated[
    str,
    typer.Argument(
        help="CSV (.csv, .csv.gz), Parquet file or folder, on this machine or by URL (s3://bucket/folder), or a table "
        "of a database (postgresql+psycopg://user:${PASSWORD}@host/name#table): unique_id, ds, y, covariates."
    ),
]
Horizon = Annotated[int | None, typer.Option(min=1, help="Steps to forecast; a trained model has its own.")]
Season = Annotated[
    int | None, typer.Option(min=1, help="Steps in a season; by the frequency, or as values come back, if left out.")
]
Budget = Annotated[
    str, typer.Option(help="Time to train networks: 90s, 5m, 1h. Regression, tests and figures come on top.")
]
Updates = Annotated[
    int | None,
    typer.Option(min=1, help="Of each network, instead of a budget: the same seed then gives the same again."),
]
Seed = Annotated[int, typer.Option(min=0, help="Of networks and of what is drawn for them.")]
Name = Annotated[str, typer.Option(help="Experiment and registered model.")]
Model = Annotated[str | None, typer.Option(help="A version instead of the champion, or an artifact folder.")]
Version = Annotated[str | None, typer.Option(help="A version instead of the champion.")]
Zone = Annotated[str | None, typer.Option(help="Time zone of time stamps without one, such as Europe/Berlin.")]
Duplicates = Annotated[str, typer.Option(help="Two rows for one time: error, mean, sum, first or last.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes, of this machine or of the cluster.")]
EngineName = Annotated[
    str, typer.Option("--engine", help="What shares the work out: processes of this machine, or ray.")
]
Address = Annotated[str | None, typer.Option(help="Of a running Ray cluster; without it one starts on this machine.")]


@contextmanager
def mendable() -> Iterator[None]:
    """Errors end in one line on stderr: exit code 2 where a user can mend them, 75 where they pass, 130 for Ctrl-C."""
    try:
        yield
    except (DataError, ArtifactError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except ValidationError as error:
        for key, told in faults(error):
            print(f"error: {key}: {told}" if key else f"error: {told}", file=sys.stderr)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from what is done", file=sys.stderr)
        raise typer.Exit(130) from None
    except Exception as error:
        if (fault := passing(error)) is None:
            raise
        print(f"error: {fault}", file=sys.stderr)
        raise typer.Exit(AGAIN) from None


def columns(text: str) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def levels_of(text: str) -> tuple[float, ...]:
    """Quantile levels separated by commas, ascending; raises DataError on what is none."""
    try:
        return tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        raise DataError(f"quantiles {text!r} are not numbers", remedy="such as --quantiles 0.1,0.5,0.9") from None
