"""The commands `forecaster streams ...`."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forecaster.errors import DataError
from pipelines.cli.options import Name, mendable

if TYPE_CHECKING:
    from pipelines.streams.store import Streams

app = typer.Typer(
    help="Series that live on between requests, in the database of FORECASTER_STREAMS: list, forget.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.command("list")
@mendable()
def list_streams(
    name: Annotated[str | None, typer.Option(help="Only the series of this model.")] = None,
) -> None:
    """Every series, the longest first: its steps, gaps included, and when something was last said of it (UTC)."""
    with opened() as streams:
        for one in streams.every(name):
            heard = datetime.fromtimestamp(one.heard, UTC).isoformat(sep=" ", timespec="seconds")
            print(f"{one.next - one.first:9}  {heard}  {one.model}  {one.series}")


@app.command()
@mendable()
def forget(
    series: Annotated[list[str] | None, typer.Argument(help="Ids of series.")] = None,
    silent: Annotated[
        str | None, typer.Option("--silent-for", help="All of which nothing was said for so long: 90d, 12h.")
    ] = None,
    name: Name = "forecaster",
) -> None:
    """Forget series of a model, while it is served too: the ids that are given, or all that are silent.

    forecaster streams forget shop-7 shop-9 --name sales

    forecaster streams forget --silent-for 90d --name sales
    """
    from pydantic import Field, TypeAdapter

    from pipelines.fields import Duration

    if bool(series) == (silent is not None):
        raise DataError("which series is not said", remedy="give their ids, or --silent-for 90d")
    with opened() as streams, streams.alone(name) as writer:
        if silent is None:
            gone = writer.forget(series or [])
        else:
            gone = writer.forget_silent(
                time.time() - TypeAdapter[float](Annotated[Duration, Field(ge=0)]).validate_python(silent)
            )
    print(f"forgot {len(gone)} series of {name}")


@contextmanager
def opened() -> Iterator["Streams"]:
    """The streams of the database that the environment names. Raises DataError where it names none."""
    from sqlalchemy import make_url

    from pipelines.streams.store import SUCH_AS, VARIABLE, Streams, database

    if (url := database()) is None:
        raise DataError(f"{VARIABLE} is not set", remedy=f"set it to the URL that the service has, {SUCH_AS}")
    file = make_url(url).database
    if url.startswith("sqlite") and not Path(str(file)).exists():
        raise DataError(f"{VARIABLE} names {file}, and there is no such file", remedy="name that of the service")
    with closing(Streams(url)) as streams:
        yield streams
