"""The commands around Dagster, which runs jobs by the clock."""

import json
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import mendable

app = typer.Typer(help="Run the job files of a folder by the clock, with Dagster.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="A folder of job files.")]
Place = Annotated[
    Path, typer.Option(envvar="FORECASTER_DAGSTER", help="Where Dagster's own environment is, or shall be.")
]
PLACE = Path(".venv-dagster")


@app.command()
@mendable()
def up(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the web page.")] = 3070,
    dagster: Place = PLACE,
) -> None:
    """Start Dagster, its web page and its clock, until Ctrl-C; installed into an environment of its own at first.

    forecaster schedule up jobs
    """
    from pipelines.schedule.environment import PACKAGE, environment, prepare
    from pipelines.schedule.folder import jobs as told

    told(folder)
    python = prepare(dagster)
    command = [str(python), "-W", "ignore", "-m", "dagster", "dev", "--log-level", "warning"]
    command += ["-f", str(PACKAGE / "definitions.py"), "--host", host, "--port", str(port)]
    print(f"Dagster   http://{host}:{port}\n\nCtrl-C ends it and all it runs.", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a script that starts this behind itself has it ignored
    os.execve(python, command, environment(folder))


@app.command()
@mendable()
def backfill(
    job: Annotated[str, typer.Argument(help="As Dagster calls it: its file without the ending.")],
    first: Annotated[str, typer.Argument(help="The first date.")],
    last: Annotated[str, typer.Argument(help="The last date, which is run too.")],
    url: Annotated[str, typer.Option(help="Of Dagster's web page.")] = "http://127.0.0.1:3070",
) -> None:
    """Have a running Dagster run a job for each date from first to last; a date that is done stays done.

    forecaster schedule backfill retrain 2026-10-01 2026-10-31
    """
    from pipelines.schedule.backfill import backfill as launch

    print(f"{url}/runs/b/{launch(url, job, first, last)}")


@app.command()
@mendable()
def prepare(dagster: Place = PLACE) -> None:
    """Only install Dagster, as an image does when it is built."""
    from pipelines.schedule.environment import prepare as install

    print(install(dagster))


@app.command()
@mendable()
def jobs(
    folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="As JSON, one object for each job.")] = False
) -> None:
    """Check the job files of a folder, and tell when each runs."""
    from pipelines.schedule.folder import jobs as told

    every = told(folder)
    if as_json:
        print(json.dumps(every, indent=1))
        return
    for one in every:
        when = one["schedule"]
        print(f"{one['asset']:20} {one['job']:9} {one['name']:20} {when['cron'] if when else 'by hand'}")
