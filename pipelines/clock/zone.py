"""Time zones for whole arrays: UTC nanoseconds to the clock on the wall, and back.

A zone is None (naive stamps: the wall clock is all there is), 'UTC', a fixed offset such as 'UTC+10:00', or
an IANA name. Offsets of names come from `zoneinfo`, whose rules go on beyond 2037; the transitions of about nine
years are found at once and kept, then every conversion is a binary search. A fixed offset is added.
"""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from forecaster.errors import DataError

Times = NDArray[np.int64]

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
_BLOCK = 58  # 2 ** 58 ns, about nine years: the range for which transitions are looked up together
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?")


@lru_cache(maxsize=1024)
def parse_zone(name: str) -> str:
    """The canonical name of a zone: 'Z' and '+00:00' are 'UTC', '+1000' is 'UTC+10:00', IANA names stay."""
    if name in ("Z", "z", "UTC"):
        return "UTC"
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match[1], int(match[2]), int(match[3] or 0)
        if hours < 24 and minutes < 60:
            return f"UTC{sign}{hours:02d}:{minutes:02d}" if hours or minutes else "UTC"
    else:
        try:
            return ZoneInfo(name).key
        except (KeyError, ValueError, OSError):  # unknown, not a key, a folder of zones
            pass
    raise DataError(f"unknown time zone {name!r}", remedy="name one such as 'Europe/Berlin' or 'UTC+10:00'")


def zone_info(zone: str) -> tzinfo:
    """The `tzinfo` of a canonical zone name."""
    if zone == "UTC":
        return UTC
    ahead = _fixed(zone)
    return ZoneInfo(zone) if ahead is None else timezone(timedelta(seconds=ahead // SECOND))


def _fixed(zone: str) -> int | None:
    """How far the clock of a fixed offset is ahead of UTC, in nanoseconds; None for a zone that may change its own."""
    match = _OFFSET.fullmatch(zone)
    if match is None:
        return None
    ahead = int(match[2]) * HOUR + int(match[3]) * MINUTE
    return ahead if match[1] == "+" else -ahead


def local(times: Times, zone: str | None) -> Times:
    """The wall clock, in nanoseconds since 1970 on that clock, at each UTC time."""
    if zone is None or zone == "UTC" or not times.size:
        return times
    if (ahead := _fixed(zone)) is not None:
        return times + ahead
    instants, offsets = _transitions(zone, times)
    return times + offsets[np.searchsorted(instants, times, side="right") - 1]


def utc(wall: Times, zone: str | None) -> tuple[Times, Times]:
    """The first and the last UTC time at which the wall clock shows `wall`.

    They differ only where the clock is set back and shows a time twice. Where it is set forward and leaves a
    time out, both are the first moment after the gap, so that `local(first) != wall` there.
    """
    if zone is None or zone == "UTC" or not wall.size:
        return wall, wall
    if (ahead := _fixed(zone)) is not None:
        return wall - ahead, wall - ahead
    instants, offsets = _transitions(zone, wall)
    begins = instants + offsets  # what the clock shows as a period of one offset begins ...
    ends = instants[1:] + offsets[:-1]  # ... and as it ends
    first = np.searchsorted(ends, wall, side="right")
    last = np.searchsorted(begins, wall, side="right") - 1
    gap = first > last
    return (
        np.where(gap, instants[first], wall - offsets[first]),
        np.where(gap, instants[first], wall - offsets[last]),
    )


def stamp(time: int, zone: str | None) -> str:
    """A time as people write it, with its offset where the zone is known: '2024-01-01 03:00+11:00'."""
    moment = np.array([time], dtype=np.int64)
    wall = local(moment, zone)
    text = str(np.datetime_as_string(wall.view("datetime64[ns]"))[0]).replace("T", " ")
    text = re.sub(r"\.?0+$", "", text) if "." in text else text
    text = text.removesuffix(":00") if text.count(":") == 2 else text
    if zone is None:
        return text
    return text + offset_text(int(wall[0]) - time)


def offset_text(offset: int) -> str:
    """A UTC offset in nanoseconds as in ISO 8601, to the minute: '+11:00'."""
    minutes = offset // (60 * SECOND)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _transitions(zone: str, times: Times) -> tuple[Times, Times]:
    return _table(zone, (int(times.min()) - DAY) >> _BLOCK, (int(times.max()) + DAY) >> _BLOCK)


@lru_cache(maxsize=256)
def _table(zone: str, first: int, last: int) -> tuple[Times, Times]:
    """The UTC times at which the offset changes and the offsets from then on; the first is from ever on."""
    info = zone_info(zone)

    def offset(second: int) -> int:
        shift = (_EPOCH + timedelta(seconds=second)).astimezone(info).utcoffset()
        assert shift is not None
        return round(shift.total_seconds())

    days = range((first << _BLOCK) // SECOND, ((last + 1) << _BLOCK) // SECOND + 86_400, 86_400)
    instants, offsets = [-(2**63) // SECOND + 2 * 86_400], [offset(days[0])]  # two days of room to add offsets
    for day in days[1:]:
        after = offset(day)
        if after == offsets[-1]:
            continue
        low, high = day - 86_400, day  # the change lies in (low, high]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if offset(middle) == after else (middle, high)
        instants.append(high)
        offsets.append(after)
    return np.array(instants, dtype=np.int64) * SECOND, np.array(offsets, dtype=np.int64) * SECOND
