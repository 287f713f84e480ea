"""Faults that pass: what was done is kept, and the same command goes on when they are over."""

import errno
import os
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says where nothing more can be written."""
AGAIN = 75
"""The exit code of a fault that passes (EX_TEMPFAIL of sysexits.h)."""


class UnavailableError(Exception):
    """A server or a database that is needed does not answer."""


class LostError(Exception):
    """The lease of an attempt ran out while the work went on, and another process may have begun it anew."""


def tell_full(error: Exception, folder: Path) -> None:
    """Raise the OSError of a full disk at `folder` where that is what a library means with an error of its own."""
    if (words := os.strerror(errno.ENOSPC)) in str(error):
        raise OSError(errno.ENOSPC, words, str(folder)) from error


def passing(error: BaseException) -> str | None:
    """One line about a fault that passes, None for any other error."""
    if isinstance(error, UnavailableError):
        return f"{error}; what was done is kept, and the same command goes on once it answers"
    if isinstance(error, OSError) and error.errno in FULL:
        return (
            f"no room to write {error.filename or 'a temporary file'} ({error.strerror}); what was done is kept, "
            "and the same command goes on once there is room"
        )
    return str(error) if isinstance(error, LostError) else None
