"""Tables in the long form, one row per series and time, to columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.clock.alike import common_frequency
from pipelines.clock.frequency import Frequency
from pipelines.clock.stamps import Stamps, Who, localise, read_stamps
from pipelines.clock.steps import check_steps
from pipelines.data.answers import Answers, collapse
from pipelines.data.column import distinct, no_number, to_categories, to_labels, to_numbers

SINGLE = "series"  # the id of the one series of a table that has none


@dataclass(frozen=True)
class Rows:
    """The rows of a table in any order; `series` numbers the ids, which are sorted."""

    ids: NDArray[np.object_]
    series: Int32[ndarray, " rows"]
    times: Int64[ndarray, " rows"]
    frequency: Frequency
    zone: str | None
    y: Float64[ndarray, " rows"]
    labels: tuple[str, ...]
    known: dict[str, Float64[ndarray, " rows"]]
    past: dict[str, Float64[ndarray, " rows"]]
    static: dict[str, NDArray[np.object_]]  # [series]
    whole: Answers | None


def read_rows(
    table: pa.Table,
    frequency: str | None,
    zone: str | None,
    known: Sequence[str],
    past: Sequence[str],
    static: Sequence[str],
    whole: str | None,
) -> Rows:
    """Check and convert unique_id, ds, y and the covariates; DataError says what is wrong and where."""
    check_columns(table.column_names, [*known, *past, *static, *([whole] if whole else [])])
    if not table.num_rows:
        raise DataError("the table has no rows", remedy="give at least one observation")
    ids, series = read_series(table)

    def who(row: int) -> str:
        return str(ids[series[row]])

    stamps = read_stamps(table["ds"], zone, who)
    grid = _frequency(stamps, series, frequency, zone, who)
    times = stamps.times
    if stamps.clock == "wall" and stamps.zone:
        times = localise(times, series, stamps.zone, grid, who)

    def numbers(name: str) -> Float64[ndarray, " rows"]:
        values, bad = to_numbers(table[name])
        if bad is not None:
            value = table[name][bad].as_py()
            place = f"ds {grid.text(int(times[bad]), stamps.zone)}"
            raise DataError(f"{name} is {value!r}", series=who(bad), place=place, remedy=no_number(value))
        return values

    def either(name: str) -> tuple[tuple[str, ...], Float64[ndarray, " rows"]]:
        labels, codes = to_labels(table[name])
        return labels, codes if labels else numbers(name)

    labels, y = either("y")
    if whole and labels:
        raise DataError(f"{whole!r} is told of series of numbers, and y holds labels", remedy="give numbers in y")
    return Rows(
        ids=ids,
        series=series,
        times=times,
        frequency=grid,
        zone=stamps.zone,
        y=y,
        labels=labels,
        known={name: numbers(name) for name in known},
        past={name: numbers(name) for name in past},
        static={name: to_categories(table[name], name, ids, series) for name in static},
        whole=collapse(whole, *either(whole), ids, series) if whole else None,
    )


def check_columns(names: Sequence[str], covariates: Sequence[str], place: str | None = None) -> None:
    """Raise DataError unless the columns of a table are the long form and hold the covariates, each once."""
    wanted = ["ds", "y", *covariates]
    twice = sorted({name for name in wanted if wanted.count(name) > 1 or names.count(name) > 1})
    if twice:
        raise DataError(f"columns named twice: {twice}", place=place, remedy="name each once, as one kind")
    if missing := [name for name in wanted if name not in names]:
        told = f"no column {' and no column '.join(map(repr, missing))}; there are {list(names)}"
        raise DataError(told, place=place, remedy=_remedy(missing, names))


def _remedy(missing: Sequence[str], names: Sequence[str]) -> str:
    if len(names) == 1 and (found := [sign for sign in ";\t|" if sign in names[0]]):
        return f"separate columns by commas, not by {found[0]!r}"
    if not {"ds", "y"} & set(missing):
        return "correct its name, or bring it"
    wide = "y" in missing and "unique_id" not in names
    return "bring it into the long form, a row per series and time with the columns unique_id, ds, y" + (
        " (pandas.melt does)" if wide else ""
    )


def read_series(table: pa.Table) -> tuple[NDArray[np.object_], Int32[ndarray, " rows"]]:
    """The ids in ascending order and the number of each row's."""
    if "unique_id" not in table.column_names:
        return np.array([SINGLE], dtype=object), np.zeros(table.num_rows, dtype=np.int32)
    words, codes = distinct(table["unique_id"])
    missing = codes < 0
    if missing.any():
        place = f"row {int(missing.argmax()) + 1}"
        raise DataError("unique_id is empty", place=place, remedy="name the series of each row")
    used = np.flatnonzero(np.bincount(codes, minlength=len(words)))
    order = np.array(sorted(used, key=lambda code: words[code]))
    number = np.zeros(len(words), dtype=np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    return np.array([words[code] for code in order], dtype=object), number[codes]


def _frequency(stamps: Stamps, series: NDArray[np.int32], name: str | None, zone: str | None, who: Who) -> Frequency:
    if stamps.clock == "step":
        if zone or name not in (None, "step"):
            given = f"the time zone {zone!r}" if zone else f"the frequency {name!r}"
            raise DataError(f"ds counts integer steps, and {given} does not go with it", remedy="leave it out")
        if name is None:
            check_steps(stamps.times, series, who)
        return Frequency("step")
    if name == "step":
        raise DataError("ds holds times, not integer steps", remedy="leave out the frequency or name theirs")
    if name is not None:
        return Frequency.parse(name)
    return common_frequency(stamps.times, series, stamps.zone if stamps.clock == "utc" else None, who)
