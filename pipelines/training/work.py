"""The folder in which a job keeps what it needs to go on after a crash."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from forecaster.durable import replace
from forecaster.errors import DataError

WORK = Path("mlruns") / "work"


def work_folder(identity: str) -> Path:
    """Where the work of a job is kept that is told by this text and nothing else, until it is done."""
    folder = (WORK / hashlib.sha256(identity.encode()).hexdigest()[:16]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder of a job's work; raises DataError where another process works there."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError("the same is at work", place=str(folder), remedy="wait for it, or stop it") from None
        yield


class RunKeys:
    """The keys of a job's MLflow runs, so that after a crash it goes on in the same ones."""

    def __init__(self, folder: Path) -> None:
        file = folder / "job"
        if not file.exists():
            replace(file, uuid4().hex.encode())
        self.job = file.read_text()

    def of(self, name: str) -> str:
        """What a run of the job is found by."""
        return f"{self.job}/{name}"
