"""The commands that run jobs and list their ledger."""

import json
import signal
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.options import mendable

app = typer.Typer()


@app.command()
@mendable()
def run(
    job: Annotated[Path, typer.Argument(help="A job file, in YAML.")],
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Read nothing later. Left out, the job is that of today, in its zone or UTC, and reads all "
            "(ingest: all before today)."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say what came of it as JSON.")] = False,
) -> None:
    """Run a job for a date: done once, however often it is called; stopped at any moment, it goes on.

    Kinds of jobs: ingest, train, retrain, backtest, promote, package, score, monitor. Such as:

        job: retrain
        name: pedestrians
        source: {path: pedestrian_hourly.csv.gz}
        horizon: 24
        budget: 60s

    That is done by

        forecaster run retrain.yaml --as-of 2026-11-21
    """
    from pipelines.jobs.file import read_job
    from pipelines.jobs.run import run as run_job
    from pipelines.runs.ledger import open_ledger

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's stop is written down as Ctrl-C is
    told = read_job(job)
    outcome = run_job(told, as_of, open_ledger())
    if as_json:
        print(json.dumps({"reason": outcome.reason, "version": outcome.version}))
    else:
        version = f" (version {outcome.version})" if outcome.version is not None else ""
        print(f"{told.kind} {told.name}: {outcome.reason}{version}")
    raise typer.Exit(outcome.code)


@app.command()
@mendable()
def runs(
    name: Annotated[str | None, typer.Option(help="Only the jobs of this name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one object for each attempt.")] = False,
) -> None:
    """List the ledger: every attempt of every job, what came of it, and why."""
    from pipelines.runs.ledger import open_ledger

    attempts = open_ledger().attempts(name)
    if as_json:
        rows = [
            asdict(one.key)
            | {"attempt": one.number, "outcome": one.outcome, "reason": one.reason, "version": one.version}
            | {"seconds": round(one.seconds, 3), "owner": one.owner, "began": one.began, "seen": one.seen}
            for one in attempts
        ]
        print(json.dumps(rows, indent=1))
        return
    print(f"{'job':9} {'name':20} {'as of':20} {'attempt':>7} {'outcome':10} {'version':>7} {'seconds':>8}  reason")
    for one in attempts:
        key = one.key
        head = f"{key.job:9} {key.name:20} {key.as_of:20} {one.number:>7} {one.outcome:10}"
        print(f"{head} {one.version or '':>7} {one.seconds:>8.1f}  {one.reason}")


@app.command()
@mendable()
def events(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, one object for each event.")] = False,
) -> None:
    """List what calls for a job and still waits for it, such as a monitor's alarm for a retrain."""
    from pipelines.runs.events import Events
    from pipelines.runs.ledger import open_ledger

    waiting = [
        asdict(event) | {"at": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds")}
        for event in Events(open_ledger()).open()
    ]
    if as_json:
        print(json.dumps(waiting, indent=1))
        return
    for event in waiting:
        print(f"{event['at']} {event['job']:9} {event['name']:20} {event['reason']}")
