"""A database of MLflow in a file, made by one process while others wait, and there when it is complete.

MLflow's own way fails where two processes begin at once, and for ever where one is killed half-way.
"""

import fcntl
from pathlib import Path

from mlflow import MlflowClient

from forecaster.durable import replacing
from forecaster.errors import DataError

SQLITE = b"SQLite format 3\0"
"""How each database of SQLite that has something in it begins."""


def ensure(database: Path) -> None:
    """Make the database if it is not there. Raises DataError where a file of another kind is."""
    if database.exists():
        with database.open("rb") as file:
            if file.read(len(SQLITE)) not in (SQLITE, b""):
                raise DataError(f"{database} is no database of MLflow", remedy="move it away, or restore it")
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_name(database.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            with replacing(database) as fresh:
                MlflowClient(f"sqlite:///{fresh}")  # makes all tables
