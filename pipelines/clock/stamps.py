"""Columns of time stamps, as tables hold them, to int64: integer steps, wall-clock or UTC nanoseconds."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.arrow import encoded, is_text, plain
from pipelines.clock.frequency import Frequency
from pipelines.clock.slots import FIRST_DAY, LAST_DAY
from pipelines.clock.zone import DAY, HOUR, SECOND, Times, local, parse_zone, stamp, utc

Who = Callable[[int], str]
"""The id of the series to which a row belongs."""

STEP = r"^[+-]?\d{1,15}$"
LARGEST_STEP = 10**15
SCALE = {"s": SECOND, "ms": 10**6, "us": 10**3, "ns": 1}
"""Nanoseconds in the units of Arrow's timestamps."""
_BLOCK = 2**20  # rows whose zone is looked up at a time, which bounds the memory
TIME = r"^\s*(?P<moment>\d{4}-\d\d(?:-\d\d(?:[T ][\d:.]+)?)?)\s*(?P<offset>[Zz]|[+-]\d\d(?::?\d\d)?)?\s*$"
_WRITE = "write it as in 2024-01-31 or 2024-01-31T18:30:00+01:00, between the years 1700 and 2200"


class Stamps(NamedTuple):
    """Times of rows, what they count, and their zone, None for steps and for clocks that name none."""

    times: Times
    clock: Literal["step", "wall", "utc"]
    zone: str | None


def read_stamps(column: pa.ChunkedArray, zone: str | None, who: Who, field: str = "ds") -> Stamps:
    """Read integers, dates, timestamps or ISO 8601 text.

    A `zone` given here wins over the one that the column names. Raises DataError on empty stamps, on what is
    no time, on naive beside aware stamps, and on several offsets where no zone says what they belong to.
    """
    zone = parse_zone(zone) if zone else None
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise DataError("no time", series=who(row), place=f"{field}, row {row + 1}", remedy=_WRITE)
    kind = plain(column.type)
    if is_text(kind):
        return _read_text(column, zone, who, field)
    try:
        if pa.types.is_integer(kind) or pa.types.is_floating(kind):
            return Stamps(_steps(column.cast(pa.int64())), "step", None)
        if pa.types.is_date(kind):
            column = column.cast(pa.timestamp("ms"))
        if pa.types.is_timestamp(column.type):
            named, unit = column.type.tz, column.type.unit
            times = _nanoseconds(column.cast(pa.int64()).to_numpy(), unit, who, field)
            return Stamps(times, "utc" if named else "wall", zone or (parse_zone(named) if named else None))
    except pa.ArrowInvalid as error:
        raise DataError(f"{field} cannot be read: {error}", remedy=_WRITE) from error
    raise DataError(f"{field} holds {kind}", remedy="give times or integer steps")


def _nanoseconds(times: Times, unit: str, who: Who, field: str) -> Times:
    scale = SCALE[unit]
    outside = (times < FIRST_DAY * DAY // scale) | (times >= LAST_DAY * DAY // scale)
    if outside.any():
        row = int(outside.argmax())
        text = np.datetime_as_string(times[row : row + 1].view(f"datetime64[{unit}]"), "D")[0]
        raise DataError("outside the years 1700 to 2200", series=who(row), place=f"{field} {text}", remedy=_WRITE)
    return times * scale


def _steps(column: pa.ChunkedArray) -> Times:
    steps = column.to_numpy()
    if len(steps) and max(-int(steps.min()), int(steps.max())) > LARGEST_STEP:
        raise pa.ArrowInvalid(f"a step beyond {LARGEST_STEP}")
    return np.asarray(steps)


def _read_text(column: pa.ChunkedArray, zone: str | None, who: Who, field: str) -> Stamps:
    """Read each distinct text once."""
    distinct = encoded(column)
    words, codes = distinct.dictionary.cast(pa.string()), distinct.indices.to_numpy()

    def refuse(bad: NDArray[np.bool_], message: str, remedy: str) -> DataError:
        row = int(np.flatnonzero(bad[codes])[0])
        return DataError(message, series=who(row), place=f"{field} {words[codes[row]].as_py()!r}", remedy=remedy)

    if pc.all(pc.match_substring_regex(words, STEP)).as_py():
        return Stamps(words.cast(pa.int64()).to_numpy()[codes], "step", None)
    parts = pc.extract_regex(words, TIME)
    if parts.null_count:
        raise refuse(parts.is_null().to_numpy(zero_copy_only=False), "not a time", _WRITE)
    moment = first_days(parts.field("moment"))
    try:
        times = moment.cast(pa.timestamp("ns")).cast(pa.int64()).to_numpy()
    except pa.ArrowInvalid as error:
        raise refuse(
            np.arange(len(words)) == first_invalid(moment, pa.timestamp("ns")), "not a time", _WRITE
        ) from error
    offset = parts.field("offset").dictionary_encode()
    names, which = offset.dictionary.to_pylist(), offset.indices.to_numpy()
    if names == [""]:
        return Stamps(_nanoseconds(times[codes], "ns", who, field), "wall", zone)
    if "" in names:
        raise refuse(which == names.index(""), "no UTC offset, and other rows have one", "write all with one")
    zones = [parse_zone(name) for name in names]
    if zone is None and len(set(zones)) > 1:
        other = np.array([name != zones[0] for name in zones])[which]
        remedy = "write all with one, or name the time zone, as in Europe/Berlin"
        raise refuse(other, f"another UTC offset than {names[0]}", remedy)
    shifts = np.array([local(np.zeros(1, dtype=np.int64), name)[0] for name in zones])
    times = _nanoseconds((times - shifts[which])[codes], "ns", who, field)
    return Stamps(times, "utc", zone or zones[0])


def first_days(moments: pa.Array) -> pa.Array:
    """Times as text, a month as its first day."""
    return pc.replace_substring_regex(moments, r"^(\d{4}-\d\d)$", r"\1-01")


def first_invalid(texts: pa.Array, kind: pa.DataType) -> int:
    """The position of the first text that does not read as `kind`, of texts of which one does not."""
    low, high = 0, len(texts)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            texts[low:middle].cast(kind)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def localise(wall: Times, series: NDArray[np.int32], zone: str, frequency: Frequency, who: Who) -> Times:
    """The UTC times of wall-clock stamps, `series [rows]` numbering the series from 0.

    Where clocks are set back and show a time twice, a stamp means the second one if the order of the rows
    says so, oldest or newest first, and else the first one. Calendar steps that begin at a time that clocks
    leave out begin right after it. Raises DataError where shorter steps have such a time, and where both of
    two times that look alike are there and the rows are in no order.
    """
    times, twice = np.empty_like(wall), [np.empty(0, dtype=np.int64)]
    for begin in range(0, len(wall), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        times[block], last = utc(wall[block], zone)
        gap = np.flatnonzero(local(times[block], zone) != wall[block])
        if gap.size and frequency.is_fixed:
            row = begin + int(gap[0])
            message = f"clocks in {zone} leave this time out"
            remedy = "correct it, or write all times with their UTC offset, as in 2024-01-31T18:30:00+01:00"
            raise DataError(message, series=who(row), place=f"ds {stamp(int(wall[row]), None)}", remedy=remedy)
        twice.append(begin + np.flatnonzero(times[block] != last))
    rows = np.concatenate(twice)
    if rows.size and frequency.is_fixed:
        later = second(rows, wall, series, zone, who)
        times[later] = utc(wall[later], zone)[1]
    return times


def second(rows: Times, wall: Times, series: NDArray[np.int32], zone: str, who: Who) -> Times:
    """Those of `rows`, whose times clocks show twice, that mean the second one.

    Where time runs forward from row to row, they are not later on the clock than a row before them.
    """
    day = wall // DAY
    around = np.unique(day[rows])
    near = np.flatnonzero(np.isin(day, np.concatenate([around - 1, around, around + 1])))
    forward, backward = _directions(wall[near], series[near])
    order = np.where(backward[series[rows]], -rows, rows)
    rows = rows[np.lexsort((order, day[rows], series[rows]))]
    group = np.cumsum(np.diff(series[rows], prepend=-1).astype(bool) | np.diff(day[rows], prepend=-1).astype(bool))
    clock = group * DAY + wall[rows] % DAY
    again = np.append(False, clock[1:] <= np.maximum.accumulate(clock)[:-1])
    ordered = (forward | backward)[series[rows]]
    _, first, count = np.unique(clock, return_index=True, return_counts=True)
    unclear = first[(count > 1) & ~ordered[first]]
    if unclear.size:
        row = int(rows[unclear[0]])
        message = f"clocks in {zone} show this time twice, and the rows are not in the order of time"
        remedy = "sort the rows, or write each time with its UTC offset"
        raise DataError(message, series=who(row), place=f"ds {stamp(int(wall[row]), None)}", remedy=remedy)
    return rows[again & ordered]


def _directions(wall: Times, series: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether the rows of each series run forward, and whether backward, but for a repeated hour."""
    order = np.argsort(series, kind="stable")
    within = np.flatnonzero(np.diff(series[order]) == 0)
    step, of = np.diff(wall[order])[within], series[order][within]
    lowest, highest, whole = np.zeros((3, int(series.max()) + 1), dtype=np.int64)
    np.minimum.at(lowest, of, step)
    np.maximum.at(highest, of, step)
    np.add.at(whole, of, step)
    return (lowest > -HOUR) & (whole >= 0), (highest < HOUR) & (whole < 0)
