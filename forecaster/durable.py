"""Files that are written complete or not at all, whatever ends the process or fills the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(file: Path, content: bytes) -> None:
    """Write a file in place of the one before: a crash or a full disk leaves the old content or the new.

    Raises OSError, with the name of the file.
    """
    fresh = file.with_name(f"{file.name}.{os.getpid()}")  # two processes may write it at once
    with writing(file):
        try:
            fresh.write_bytes(content)
        except OSError:
            fresh.unlink(missing_ok=True)  # half a file takes room too
            raise
        fresh.replace(file)


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """An OSError in here tells the place, which the system leaves out where it was opened before."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(place)
        raise
