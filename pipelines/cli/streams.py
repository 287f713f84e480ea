"""The commands `forecaster streams ...`."""

import shlex
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
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
        if not (there := streams.every(name)):
            raise DataError(f"no series{'' if name is None else f' of {name}'} are kept", remedy=_others(streams))
    print(f"{'steps':>9}  {'last said (UTC)':19}  model  series")
    for one in there:
        heard = datetime.fromtimestamp(one.heard, UTC).strftime("%Y-%m-%d %H:%M:%S")
        print(f"{one.next - one.first:9}  {heard}  {one.model}  {shlex.quote(one.series)}")


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

    if series and silent is not None:
        raise DataError("ids and --silent-for are both given", remedy="give one of them")
    if not series and silent is None:
        raise DataError("which series is not said", remedy="give their ids, or --silent-for 90d")
    if silent is not None and not silent.strip()[-1:].isalpha():
        raise DataError(f"--silent-for {silent} has no unit", remedy="such as 90d, 12h")
    span = None if silent is None else TypeAdapter[float](Annotated[Duration, Field(gt=0)]).validate_python(silent)
    with opened() as streams:
        if not streams.every(name):
            raise DataError(f"no series of {name} are kept", remedy=_others(streams))
        with streams.alone(name) as writer:
            gone = writer.forget(series or []) if span is None else writer.forget_silent(time.time() - span)
    print(f"forgot {len(gone)} series of {name}")
    if unknown := sorted(set(series or []) - set(gone)):
        raise DataError(f"not known: {shlex.join(unknown)}", remedy="see forecaster streams list")


def _others(streams: "Streams") -> str:
    """What to do where a model has none."""
    names = sorted({one.model for one in streams.every()})
    return f"name another model by --name: {', '.join(names)}" if names else "send some to POST /stream"


@contextmanager
def opened() -> Iterator["Streams"]:
    """The streams of the database that the environment names. Raises DataError where it names none."""
    from pipelines.streams.store import SUCH_AS, VARIABLE, Streams, database

    if (url := database()) is None:
        raise DataError(f"{VARIABLE} is not set", remedy=f"set it to the URL that the service has, {SUCH_AS}")
    with closing(Streams(url, there=True)) as streams:
        yield streams
