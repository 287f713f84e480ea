"""Series as lists, the way a request has them, to arrays."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Literal, cast

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int64
from numpy import ndarray
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.frequency import Frequency
from pipelines.clock.stamps import LARGEST_STEP, localise, read_stamps
from pipelines.clock.zone import Times
from pipelines.data.vocabulary import vocabulary

_NUMBERS = {float, int, type(None), np.float64, np.int64}


def read_ids(ids: Sequence[str]) -> NDArray[np.object_]:
    """The ids, of which there is at least one, each once."""
    if not ids:
        raise DataError("there are no series", remedy="give at least one")
    if len(set(ids)) < len(ids):
        twice = Counter(ids).most_common(1)[0][0]
        raise DataError("two series have this id", series=twice, remedy="give each its own")
    return np.array(ids, dtype=object)


def read_starts(
    ids: Sequence[str], start: Sequence[str | int | datetime], frequency: Frequency, zone: str | None
) -> tuple[Times, str | None]:
    """The time at which each series starts, on the grid, and the zone of all."""

    def refuse(i: int) -> DataError:
        wanted = "an integer, for the steps are counted" if frequency.is_step else "a time"
        return DataError(f"start is {start[i]!r}", series=ids[i], remedy=f"give {wanted}")

    for i, one in enumerate(start):
        if isinstance(one, int) != frequency.is_step or (isinstance(one, int) and abs(one) > LARGEST_STEP):
            raise refuse(i)
    if frequency.is_step:
        return np.array(start, dtype=np.int64), None
    texts = pa.chunked_array([[one.isoformat() if isinstance(one, datetime) else one for one in start]])
    times, clock, zone = read_stamps(texts, zone, ids.__getitem__, "start")
    if clock == "step":  # all of them are digits
        raise refuse(0)
    if clock == "wall" and zone:
        times = localise(times, np.arange(len(ids), dtype=np.int32), zone, frequency, ids.__getitem__)
    on_grid = frequency.locate(times, times, zone)[1]
    if not on_grid.all():
        i = int(on_grid.argmin())
        place, message = f"start {start[i]}", f"no step of {frequency.name!r} begins then"
        raise DataError(message, series=ids[i], place=place, remedy="correct it, or give another frequency")
    return frequency.advance(times, np.zeros_like(times), zone), zone


def read_numbers(
    ids: Sequence[str], lists: Sequence[Sequence[float | None]], field: str
) -> tuple[Float64[ndarray, " total"], Int64[ndarray, " series"]]:
    """The numbers of all series, NaN for None, and how many each has."""
    lengths = np.array([len(one) for one in lists], dtype=np.int64)
    flat = list(chain.from_iterable(lists))
    try:
        numbers = np.array(flat, dtype=np.float64) if set(map(type, flat)) <= _NUMBERS else None
    except OverflowError:  # an integer beyond 1e308
        numbers = None
    if numbers is None or np.isinf(numbers).any():
        row = next(row for row, one in enumerate(flat) if not _is_number(one))
        i, place = _place(lengths, row, field)
        remedy = "give finite numbers, null where one is missing"
        raise DataError(f"{flat[row]!r:.40} is no finite number", series=ids[i], place=place, remedy=remedy)
    return numbers, lengths


def read_target(
    ids: Sequence[str], lists: Sequence[Sequence[float | str | None]]
) -> tuple[Float64[ndarray, " total"], Int64[ndarray, " series"], tuple[str, ...]]:
    """The values of all series, how many each has, and the labels that they are codes of, none for numbers."""
    flat = list(chain.from_iterable(lists))
    if {str} != set(map(type, flat)) - {type(None)}:
        return *read_numbers(ids, cast("Sequence[Sequence[float | None]]", lists), "target"), ()
    labels, codes = vocabulary(flat)
    return codes, np.array([len(one) for one in lists], dtype=np.int64), labels


def _is_number(one: object) -> bool:
    return one is None or (type(one) in _NUMBERS and not abs(cast(float, one)) > sys.float_info.max)


def _place(lengths: Int64[ndarray, " series"], row: int, field: str) -> tuple[int, str]:
    """The series in which a flat position lies, and where in it."""
    ends = lengths.cumsum()
    i = int(np.searchsorted(ends, row, side="right"))
    return i, f"{field}[{row - int(ends[i] - lengths[i])}]"


def read_columns(
    ids: Sequence[str],
    given: Sequence[Mapping[str, Sequence[float | None]]],
    names: Sequence[str],
    kind: Literal["known", "past"],
    lengths: Int64[ndarray, " series"],
) -> tuple[Float64[ndarray, "total columns"], Int64[ndarray, " series"]]:
    """The covariates of all series, and how far they reach: as far as the series, known ones or further."""
    _check_names(ids, given, names, kind)
    if not names:
        return np.empty((int(lengths.sum()), 0)), lengths
    columns, reaches = zip(
        *(read_numbers(ids, [one[name] for one in given], f"{kind}.{name}") for name in names), strict=True
    )
    for name, column, reach in zip(names, columns, reaches, strict=True):
        wrong = (reach < lengths) | (reach != reaches[0]) if kind == "known" else reach != lengths
        if wrong.any():
            i = int(wrong.argmax())
            ahead = f" and for each step of the horizon, as many as of {names[0]!r}" if kind == "known" else ""
            raise DataError(
                f"{reach[i]} values for {lengths[i]} of target",
                series=ids[i],
                place=f"{kind}.{name}",
                remedy=f"give one for each{ahead}",
            )
        if kind == "known" and np.isnan(column).any():
            i, place = _place(reach, int(np.isnan(column).argmax()), f"known.{name}")
            raise DataError("missing", series=ids[i], place=place, remedy="what is known ahead has no gaps: fill it in")
    return np.stack(columns, axis=1), reaches[0]


def read_categories(
    ids: Sequence[str], given: Sequence[Mapping[str, str]], names: Sequence[str]
) -> NDArray[np.object_]:
    """The static covariates [series, names]."""
    _check_names(ids, given, names, "static")
    categories = np.empty((len(ids), len(names)), dtype=object)
    for column, name in enumerate(names):
        categories[:, column] = [str(one[name]) for one in given]
    return categories


def _check_names(ids: Sequence[str], given: Sequence[Mapping[str, object]], names: Sequence[str], kind: str) -> None:
    for name, one in zip(ids, given or [{}] * len(ids), strict=True):
        if one.keys() != set(names):
            remedy = "give exactly these" if names else "leave them out"
            message = f"{kind} covariates {list(one)} where {list(names) or 'none'} are read"
            raise DataError(message, series=name, place=kind, remedy=remedy)
