"""Tables in the long form, one row per series and time, to columns of numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int32, Int64
from numpy import ndarray
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.answers import Answers, collapse
from pipelines.calendar import infer_frequency
from pipelines.frequency import Frequency
from pipelines.stamps import Stamps, Who, first_invalid, localise, read_stamps
from pipelines.steps import check_steps
from pipelines.zone import parse_zone

SINGLE = "series"  # the id of the one series of a table that has none
_NUMBER = r"(?i)^[+-]?(\d+\.?\d*|\.\d+|inf|infinity)(e[+-]?\d+)?$"
# Digits that no cast reads, for signs of thousands, decimals, a currency or a share stand among them.
_AMOUNT = (
    r"^[(]?[+\x{2212}-]?\p{Sc}?\p{Zs}?[+\x{2212}-]?"
    r"(\d{1,3}(,\d\d)*([.,'\x{2019}\p{Zs}]\d{3})+|\d+)([.,]\d*)?\p{Zs}?[%\x{2030}\p{Sc}]?[)]?$"
)
_GAPS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]


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

    stamps = read_stamps(table["ds"], parse_zone(zone) if zone else None, who)
    grid = _frequency(stamps, series, frequency, zone, who)
    times = stamps.times
    if stamps.clock == "wall" and stamps.zone:
        times = localise(times, series, stamps.zone, grid, who)

    def numbers(name: str) -> Float64[ndarray, " rows"]:
        values, bad = _numbers(table[name])
        if bad is not None:
            value = table[name][bad].as_py()
            amount = pc.match_substring_regex(str(value).strip(), _AMOUNT).as_py()
            raise DataError(
                f"{name} is {value!r}",
                series=who(bad),
                place=f"ds {grid.text(int(times[bad]), stamps.zone)}",
                remedy="write 1100.5: nothing between thousands, a point before decimals, no currency or percent sign"
                if amount
                else "give finite numbers, or in y labels alone, and leave empty what is missing",
            )
        return values

    def either(name: str) -> tuple[tuple[str, ...], Float64[ndarray, " rows"]]:
        labels, codes = _labels(table[name])
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
        static={name: _constant(table[name], name, ids, series) for name in static},
        whole=collapse(whole, *either(whole), ids, series) if whole else None,
    )


def check_columns(names: Sequence[str], covariates: Sequence[str], place: str | None = None) -> None:
    """Raise DataError unless the columns of a table are the long form and hold the covariates, each once."""
    wanted = ["ds", "y", *covariates]
    twice = sorted({name for name in wanted if wanted.count(name) > 1 or names.count(name) > 1})
    if twice:
        raise DataError(f"columns named twice: {twice}", place=place, remedy="name each once, as one kind")
    if missing := [name for name in wanted if name not in names]:
        wide = "y" in missing and "unique_id" not in names
        raise DataError(
            f"no column {' and no column '.join(map(repr, missing))}; there are {list(names)}",
            place=place,
            remedy="bring it into the long form, a row per series and time with the columns unique_id, ds, y"
            + (" (pandas.melt does)" if wide else ""),
        )


def read_series(table: pa.Table) -> tuple[NDArray[np.object_], Int32[ndarray, " rows"]]:
    """The ids in ascending order and the number of each row's."""
    if "unique_id" not in table.column_names:
        return np.array([SINGLE], dtype=object), np.zeros(table.num_rows, dtype=np.int32)
    words, codes = distinct(table["unique_id"])
    missing = codes < 0 if "" not in words else (codes < 0) | (codes == words.index(""))
    if missing.any():
        raise DataError(
            "unique_id is empty",
            place=f"row {int(missing.argmax()) + 1}",
            remedy="name the series of each row",
        )
    used = np.flatnonzero(np.bincount(codes, minlength=len(words)))
    order = np.array(sorted(used, key=lambda code: words[code]))
    number = np.zeros(len(words), dtype=np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    return np.array([words[code] for code in order], dtype=object), number[codes]


def distinct(column: pa.ChunkedArray) -> tuple[list[str], Int32[ndarray, " rows"]]:
    """The distinct values as text and the number of each row's, -1 where there is none."""
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    words = column.dictionary.cast(pa.string()).to_pylist()
    codes = column.indices.cast(pa.int32()).fill_null(-1).to_numpy()
    return words, np.where(codes == words.index(""), np.int32(-1), codes) if "" in words else codes


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
    return infer_frequency(stamps.times, series, stamps.zone if stamps.clock == "utc" else None)


def _numbers(column: pa.ChunkedArray) -> tuple[Float64[ndarray, " rows"], int | None]:
    """The values, NaN where there is none, and the first row that is no finite number."""
    kind = _kind(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = _texts(column)
        try:
            values = texts.cast(pa.float64())
        except pa.ArrowInvalid:
            return np.empty(0), first_invalid(texts, pa.float64())
    elif pa.types.is_boolean(kind):
        values = column.cast(pa.uint8()).cast(pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = column.cast(pa.float64(), safe=False)
    elif pa.types.is_null(kind):
        return np.full(len(column), np.nan), None
    else:
        return np.empty(0), 0
    numbers = values.to_numpy(zero_copy_only=False)
    infinite = np.isinf(numbers)
    return numbers, int(infinite.argmax()) if infinite.any() else None


def _kind(column: pa.ChunkedArray) -> pa.DataType:
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


def _texts(column: pa.ChunkedArray) -> pa.Array:
    """The texts of a column, null where there is none."""
    texts = pc.utf8_trim_whitespace(column.cast(pa.string())).combine_chunks()
    return pc.if_else(pc.is_in(texts, value_set=pa.array(_GAPS)), None, texts)


def _labels(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Float64[ndarray, " rows"]]:
    """The labels in a column and their codes; none in a column that is no text or has a number in it.

    And none where most of the different texts are amounts such as 1,100 or 100%: these are meant as numbers.
    """
    kind = _kind(column)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return (), np.empty(0)
    encoded = _texts(column).dictionary_encode()
    texts = encoded.dictionary
    if not len(texts) or pc.any(pc.match_substring_regex(texts, _NUMBER)).as_py():
        return (), np.empty(0)
    if 2 * pc.sum(pc.match_substring_regex(texts, _AMOUNT)).as_py() > len(texts):
        return (), np.empty(0)
    order = np.append(np.argsort(np.argsort(np.array(texts.to_pylist(), dtype=object))), np.nan)
    codes = order[encoded.indices.fill_null(-1).to_numpy()]
    return tuple(sorted(texts.to_pylist())), codes


def _constant(
    column: pa.ChunkedArray, name: str, ids: NDArray[np.object_], series: NDArray[np.int32]
) -> NDArray[np.object_]:
    """The one value of each series, as text; rows may leave it empty."""
    words, codes = distinct(column)
    of = np.full(len(ids), -1, dtype=np.int32)
    given = codes >= 0
    of[series[given]] = codes[given]
    if (of < 0).any():
        raise DataError(f"{name} is empty", series=ids[(of < 0).argmax()], remedy="give it on each row")
    other = given & (of[series] != codes)
    if other.any():
        row = int(other.argmax())
        raise DataError(
            f"{name} is {words[codes[row]]!r} and {words[of[series[row]]]!r}",
            series=ids[series[row]],
            remedy="a static covariate has one value in a series: correct it, or declare it known or past",
        )
    return np.array(words, dtype=object)[of]
