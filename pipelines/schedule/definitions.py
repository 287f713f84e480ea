"""What Dagster loads, in its own environment: an asset, a job, a schedule and a sensor for each job file.

It imports nothing of ours. `forecaster schedule jobs` tells what there is, checked; `forecaster run` does the work.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg

COMMAND: list[str] = json.loads(os.environ["FORECASTER_COMMAND"])
"""How `forecaster` is called in our environment."""
HOME = Path(os.environ["FORECASTER_HOME"])
"""Where it is called: paths in job files begin here."""
JOBS = os.environ["FORECASTER_JOBS"]
"""The folder of job files."""
BREACH, MENDABLE, INTERRUPTED = 3, 2, 130
"""Exit codes of `forecaster run`: a success with an alarm, and failures that would only come again."""
SETTLED = 5.0
"""Seconds for which a file must not have changed, so that half of it is not read."""
LOOK = 60
"""Seconds between two looks at events and files."""


def asked(*arguments: str) -> Any:
    """What a command of ours answers, as JSON."""
    done = subprocess.run([*COMMAND, *arguments, "--json"], cwd=HOME, capture_output=True, text=True, check=False)
    if done.returncode:
        raise dg.Failure(done.stderr.strip())
    return json.loads(done.stdout)


def run(told: dict[str, Any], context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Run the job for the date of the partition, or the one an event asks for; its messages go to Dagster's."""
    as_of = context.op_execution_context.op_config.get("as_of")
    if as_of is None and context.has_partition_key:
        as_of = context.partition_key
    command = [*COMMAND, "run", told["file"], *(["--as-of", as_of] if as_of else []), "--json"]
    process = subprocess.Popen(command, cwd=HOME, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    said: list[str] = []

    def listen() -> None:
        for line in process.stderr or ():
            sys.stderr.write(line)
            said.extend([line.strip()] if line.strip() else [])

    with process:
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            answer = process.stdout.read() if process.stdout else ""
            code = process.wait()
        except BaseException:  # the run is ended in the page
            process.terminate()
            raise
        finally:
            listener.join()
    if code not in {0, BREACH}:
        reason = said[-1] if said else f"ended by signal {-code}" if code < 0 else f"ended with {code}"
        raise dg.Failure(reason, {"exit code": code}, allow_retries=code not in {MENDABLE, INTERRUPTED})
    outcome = json.loads(answer.splitlines()[-1])
    metadata = {key: value for key, value in outcome.items() if value is not None}
    check = dg.AssetCheckResult(
        passed=code != BREACH, severity=dg.AssetCheckSeverity.WARN, description=outcome["reason"]
    )
    return dg.MaterializeResult(metadata=metadata, check_results=[check])


def asset(told: dict[str, Any]) -> dg.AssetsDefinition:
    """A job file: each date that is done is one partition of it."""
    when, name = told["schedule"], told["asset"]

    def work(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return run(told, context)

    return dg.asset(
        name=name,
        description=f"{told['job']} {told['name']}, as {told['file']} says",
        metadata={key: value for key, value in told["settings"].items() if value is not None},
        group_name=told["pool"],
        pool=told["pool"],  # one run at a time for each model: see dagster.yaml
        partitions_def=dates(when) if when else None,
        retry_policy=retries(when) if when else None,
        config_schema={"as_of": dg.Field(str, is_required=False, description="Instead of the date of the partition.")},
        check_specs=[dg.AssetCheckSpec("as_promised", asset=name, description="Whether a monitor raised no alarm.")],
    )(work)


def retries(when: dict[str, Any]) -> dg.RetryPolicy:
    """Further attempts, each after twice the time of the one before."""
    return dg.RetryPolicy(max_retries=when["retries"], delay=when["wait"], backoff=dg.Backoff.EXPONENTIAL)


def dates(when: dict[str, Any]) -> dg.TimeWindowPartitionsDefinition:
    """The moments at which the job is fired: at each it is run for that very moment, hence the offset."""
    start = datetime.fromisoformat(when["start"])
    return dg.TimeWindowPartitionsDefinition(
        start=start, fmt=when["form"], cron_schedule=when["cron"], timezone=when["zone"], end_offset=1
    )


def request(told: dict[str, Any], run_key: str, moment: datetime) -> dg.RunRequest:
    """A run for a moment between two firings; Dagster keeps it with the partition that the moment lies in."""
    when = told["schedule"]
    as_of = moment.astimezone(ZoneInfo(when["zone"] if when else "UTC")).strftime("%Y-%m-%dT%H:%M:%S")
    return dg.RunRequest(
        run_key=run_key,
        job_name=told["asset"] + "_job",
        partition_key=dates(when).get_last_partition_key() if when else None,
        run_config={"ops": {told["asset"]: {"config": {"as_of": as_of}}}},
    )


def files(told: dict[str, Any]) -> Callable[[], Iterator[dg.RunRequest]]:
    """Asks for a run when the newest file that is watched is another one."""
    place = HOME / told["schedule"]["watch"]

    def look() -> Iterator[dg.RunRequest]:
        times = [file.stat().st_mtime for file in (place.rglob("*") if place.is_dir() else [place]) if file.is_file()]
        now = datetime.now(UTC).timestamp()
        if times and max(times) < now - SETTLED:
            yield request(told, f"file {max(times)}", datetime.fromtimestamp(max(times), UTC))

    return look


def events(jobs: list[dict[str, Any]]) -> Callable[[], Iterator[dg.RunRequest]]:
    """Asks for a run of each job that an open event of the ledger calls for."""

    def look() -> Iterator[dg.RunRequest]:
        for event in asked("events"):
            for told in jobs:
                if (told["job"], told["name"]) == (event["job"], event["name"]):
                    yield request(told, f"event {event['id']}", datetime.fromisoformat(event["at"]))

    return look


def definitions(every: list[dict[str, Any]]) -> dg.Definitions:
    """All that is in the folder."""
    assets = {told["asset"]: asset(told) for told in every}
    jobs = {name: dg.define_asset_job(f"{name}_job", [one]) for name, one in assets.items()}
    timed = {told["asset"]: told for told in every if told["schedule"]}
    looking: dict[str, Any] = {"minimum_interval_seconds": LOOK, "default_status": dg.DefaultSensorStatus.RUNNING}
    return dg.Definitions(
        assets=list(assets.values()),
        jobs=list(jobs.values()),
        schedules=[
            dg.build_schedule_from_partitioned_job(
                jobs[name], name=name, default_status=dg.DefaultScheduleStatus.RUNNING
            )
            for name in timed
        ],
        sensors=[
            dg.sensor(name="events", jobs=list(jobs.values()), **looking)(events(every)),
            *(
                dg.sensor(name=f"{name}_file", job=jobs[name], **looking)(files(told))
                for name, told in timed.items()
                if told["schedule"]["watch"]
            ),
        ],
        executor=dg.in_process_executor,
    )


if "FORECASTER_TOLD" not in os.environ:  # every run is a process that reads this file again, and inherits what was told
    os.environ["FORECASTER_TOLD"] = json.dumps(asked("schedule", "jobs", JOBS))
defs = definitions(json.loads(os.environ["FORECASTER_TOLD"]))
