"""A column of a table to numbers, labels or the categories of series."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float64, Int32
from numpy import ndarray
from numpy.typing import NDArray

from forecaster.errors import DataError
from pipelines.arrow import encoded, is_text, plain
from pipelines.clock.stamps import first_invalid

_NUMBER = r"(?i)^[+-]?(\d+\.?\d*|\.\d+|inf|infinity)(e[+-]?\d+)?$"
# Digits that no cast reads, for signs of thousands, decimals, a currency or a share stand among them.
_AMOUNT = (
    r"^[(]?[+\x{2212}-]?\p{Sc}?\p{Zs}?[+\x{2212}-]?"
    r"(\d{1,3}(,\d\d)*([.,'\x{2019}\p{Zs}]\d{3})+|\d+)([.,]\d*)?\p{Zs}?[%\x{2030}\p{Sc}]?[)]?$"
)
_GAPS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]


def distinct(column: pa.ChunkedArray) -> tuple[list[str], Int32[ndarray, " rows"]]:
    """The distinct values as text and the number of each row's, -1 where there is none."""
    there = encoded(column if pa.types.is_dictionary(column.type) else column.cast(pa.string()))
    words = there.dictionary.cast(pa.string()).to_pylist()
    codes = there.indices.cast(pa.int32()).fill_null(-1).to_numpy()
    return words, np.where(codes == words.index(""), np.int32(-1), codes) if "" in words else codes


def to_numbers(column: pa.ChunkedArray) -> tuple[Float64[ndarray, " rows"], int | None]:
    """The values, NaN where there is none, and the first row that is no finite number."""
    kind = plain(column.type)
    if is_text(kind):
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


def no_number(value: object) -> str:
    """What to do about a cell that `to_numbers` cannot read."""
    if pc.match_substring_regex(str(value).strip(), _AMOUNT).as_py():
        return "write 1100.5: nothing between thousands, a point before decimals, no currency or percent sign"
    return "give finite numbers, or in y labels alone, and leave empty what is missing"


def to_labels(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Float64[ndarray, " rows"]]:
    """The labels in a column and their codes; none in a column that is no text or has a number in it.

    And none where most of the different texts are amounts such as 1,100 or 100%: these are meant as numbers.
    """
    if not is_text(column.type):
        return (), np.empty(0)
    there = _texts(column).dictionary_encode()
    texts = there.dictionary
    if not len(texts) or pc.any(pc.match_substring_regex(texts, _NUMBER)).as_py():
        return (), np.empty(0)
    if 2 * pc.sum(pc.match_substring_regex(texts, _AMOUNT)).as_py() > len(texts):
        return (), np.empty(0)
    order = np.append(np.argsort(np.argsort(np.array(texts.to_pylist(), dtype=object))), np.nan)
    codes = order[there.indices.fill_null(-1).to_numpy()]
    return tuple(sorted(texts.to_pylist())), codes


def to_categories(
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


def _texts(column: pa.ChunkedArray) -> pa.Array:
    """The texts of a column, null where there is none."""
    texts = pc.utf8_trim_whitespace(column.cast(pa.string())).combine_chunks()
    return pc.if_else(pc.is_in(texts, value_set=pa.array(_GAPS)), None, texts)
