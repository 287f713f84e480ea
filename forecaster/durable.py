"""Files and folders that are written complete or not at all, whatever ends the process or fills the disk."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(file: Path, content: bytes) -> None:
    """Write a small file in place of the one before; raises what `replacing` does."""
    with replacing(file) as fresh:
        fresh.write_bytes(content)


@contextmanager
def replacing(place: Path) -> Iterator[Path]:
    """Where to write what will take the place of a file, or be a new folder, when all of it is written.

    A crash or a full disk leaves what was there before. One process at a time may write to a place. Raises OSError
    with the name of the place instead of that of the new file, or of none, as where a file was opened before.
    """
    fresh = place.with_name(place.name + ".new")
    _remove(fresh)
    try:
        yield fresh
        fresh.replace(place)
    except OSError as error:
        if error.filename in (None, str(fresh)):
            error.filename = str(place)
            del error.filename2
        raise
    finally:
        _remove(fresh)


def _remove(fresh: Path) -> None:
    if fresh.is_dir():
        shutil.rmtree(fresh)
    else:
        fresh.unlink(missing_ok=True)
