"""When a scheduler fires a job, and how often it tries."""

import re
from datetime import date
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field

from forecaster.spec import Spec
from pipelines.fields import Duration

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
"""The fields of a cron line, with their first and last values."""


def cron_line(text: str) -> str:
    """Five fields of numbers as cron reads them, such as `30 6 * * 1-5` or `*/15 * * * *`.

    Raises ValueError, which names the field.

    >>> cron_line("0 6  * * *")
    '0 6 * * *'
    """
    parts = text.split()
    if len(parts) != len(FIELDS):
        raise ValueError("a cron line has five fields: minute hour day month weekday, such as 0 6 * * *")
    for part, (field, first, last) in zip(parts, FIELDS, strict=True):
        for item in part.split(","):
            match = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?", item)
            low, high = (int(match[1] or first), int(match[2] or match[1] or last)) if match else (1, 0)
            if not first <= low <= high <= last:
                raise ValueError(f"{item!r} is no {field}, which is *, {first} to {last}, a-b, */n, or some by commas")
    return " ".join(parts)


def time_zone(name: str) -> str:
    """The name of a time zone. Raises ValueError on one that is not known."""
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone, such as UTC or Europe/Berlin")
    return name


class Schedule(Spec):
    """The key `schedule:` of a job file. A change of it makes no other job: what was done stays done."""

    cron: Annotated[str, AfterValidator(cron_line)] = "0 0 * * *"
    zone: Annotated[str, AfterValidator(time_zone)] = "UTC"
    """Time zone of the cron line. An as-of is what clocks show there, read on the clock of the data."""
    start: date
    """The first day: backfills reach back to it."""
    retries: int = Field(3, ge=0, le=100)
    """Further attempts after a fault that may pass."""
    wait: Duration = Field(60.0, gt=0)
    """Seconds before the second attempt: 30s, 5m, 1h. It doubles with each one after that."""
    watch: str | None = None
    """A file or folder on this machine: the job also runs when something new is there."""

    @property
    def form(self) -> str:
        """How `strftime` writes the as-of of a firing: a day, or a minute where there may be several a day."""
        minute, hour, *_ = self.cron.split()
        return "%Y-%m-%d" if minute.isdigit() and hour.isdigit() else "%Y-%m-%dT%H:%M"
