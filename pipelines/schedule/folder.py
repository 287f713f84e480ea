"""A folder of job files, as a scheduler is told of it."""

import re
from pathlib import Path
from typing import Any

from forecaster.errors import DataError
from pipelines.jobs.file import read_job


def jobs(folder: Path) -> list[dict[str, Any]]:
    """Every job of a folder by the name of its file, checked: what `definitions.py` reads as JSON.

    Raises DataError where a file is no job, where two have one name, and where there is none.
    """
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise DataError("there is no job file", place=str(folder), remedy="give a folder of them, as *.yaml")
    told = [_told(file.absolute()) for file in files]
    names = [one["asset"] for one in told]
    for file, name in zip(files, names, strict=True):
        if names.count(name) > 1:
            raise DataError(f"two job files have the name {name} in a schedule", place=str(file), remedy="rename one")
    return told


def _told(file: Path) -> dict[str, Any]:
    job = read_job(file)
    when = job.schedule
    return {
        "asset": _word(file.stem),
        "file": str(file),
        "job": job.kind,
        "name": job.name,
        "pool": _word(job.name),
        "schedule": when.model_dump(mode="json") | {"form": when.form} if when is not None else None,
        "settings": job.model_dump(mode="json", exclude={"schedule"}, exclude_unset=True),
    }


def _word(text: str) -> str:
    """A name as Dagster takes it."""
    return re.sub(r"\W", "_", text, flags=re.ASCII)
