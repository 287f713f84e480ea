"""What a table must not hold: each refusal names the series, the place and the remedy."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame


def table(ds: Any, y: Sequence[object] | None = None, **columns: Sequence[object]) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": ["a"] * len(ds), "ds": ds, "y": y or [1.0] * len(ds), **columns})


HOURS = ["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00"]
WRITE = "write 1100.5: nothing between thousands"
COVARIATES: dict[str, list[Any]] = {"price": [1.0, None, 3.0], "state": ["x", "y", "x"]}

CASES: list[tuple[pd.DataFrame, dict[str, Any], str]] = [
    # duplicates
    (
        table([*HOURS, HOURS[1]]),
        {},
        r"series 'a', ds 2024-01-01 01:00: 2 rows for one time; .*--duplicates mean",
    ),
    (table([1, 2, 2]).drop(columns="unique_id"), {}, "or name the series of each row in a column unique_id"),
    (pd.DataFrame({"unique_id;ds;y": ["a;1;2"]}), {}, "separate columns by commas, not by ';'"),
    (table([1, 2, 2, 3, 3]), {}, r"series 'a', ds 2: 2 rows for one time \(and 1 more such times\); remove"),
    (
        table(["2024-01-01T01+01:00", "2024-01-01T00Z"]),
        {"frequency": "h", "zone": "UTC"},
        "2 rows for one time",
    ),
    # off the grid
    (
        table([*HOURS, "2024-01-01 03:07"]),
        {"frequency": "h"},
        r"series 'a', ds 2024-01-01 03:07: off the grid of 'h'",
    ),
    (
        table([*HOURS, "2024-01-01 03:07"]),
        {},
        "series 'a', ds 2024-01-01 03:07: off the grid of 'h'.*; correct",
    ),
    (
        table(["2024-01-05", "2024-01-06"]),
        {"frequency": "B"},
        "series 'a', ds 2024-01-06 00:00: off the grid of 'B'",
    ),
    (
        table(["2024-01-31", "2024-02-29"]),
        {"frequency": "MS"},
        "ds 2024-01-31 00:00: off the grid of 'MS'.*another freq",
    ),
    (
        table([1700000000, 1]),
        {"frequency": "h"},
        "integer steps, and the frequency 'h' does not go with it; leave",
    ),
    # times
    (
        table(["2024-01-01", "01/02/2024"]),
        {},
        "series 'a', ds '01/02/2024': not a time; write it as in 2024-01-31",
    ),
    (table(["2024-01-01", "2024-02-30"]), {}, "series 'a', ds '2024-02-30': not a time; write"),
    (table(["2024-01-01", ""]), {}, "series 'a', ds '': not a time; write"),
    (table(["2024-01-01", None]), {}, "series 'a', ds, row 2: no time; write"),
    (table([pd.Timestamp("2024-01-01"), pd.NaT]), {}, "series 'a', ds, row 2: no time; write"),
    (table(["1", "2024-01-01"]), {}, "series 'a', ds '1': not a time"),
    (table([1.5, 2.5]), {}, "ds cannot be read"),
    (table([10**17, 1]), {}, "ds cannot be read"),
    (table(HOURS, [1j, 2, 3]), {}, "the table cannot be read: .*complex.*; give each column one type"),
    (table(["12345678901234567890", "2"]), {}, "not a time"),
    (table([True, False]), {}, "ds holds bool; give times"),
    (table(["1650-01-01", "1650-01-02"]), {}, "series 'a', ds '1650-01-01': not a time; .* 1700 and 2200"),
    (table(["1690-01-01", "1690-01-02"]), {}, "series 'a', ds 1690-01-01: outside the years 1700 to 2200"),
    (table(["2024-01-01", "2300-01-01"]), {}, "series 'a', ds '2300-01-01': not a time"),
    (
        table(pd.Series(np.array(["2024", "9999"], "datetime64[s]"))),
        {},
        "series 'a', ds 9999-01-01: outside the years 1700 to 2200",
    ),
    (table(["2024-01-01"]), {}, "the frequency cannot be seen.*; give the frequency"),
    (table(HOURS), {"frequency": "hourly"}, "unknown frequency 'hourly'; use one of pandas"),
    (table(HOURS), {"frequency": "step"}, "ds holds times, not integer steps"),
    (
        table(["1700-01-01 00:00:00", "2200-01-01 00:00:00"]),
        {"frequency": "s"},
        r"series 'a': \d+ steps of 's' lie",
    ),
    # zones
    (
        table(["2024-01-01T00+01:00", "2024-07-01T00+02:00"]),
        {},
        "'2024-07-01T00.02:00': another UTC offset .*; write all with one, or name the",
    ),
    (
        table(["2024-01-01T00+01:00", "2024-01-01T01"]),
        {},
        "series 'a', ds '2024-01-01T01': no UTC offset, and other",
    ),
    (table(HOURS), {"zone": "Mars"}, "unknown time zone 'Mars'; name one such as"),
    (table([1, 2]), {"zone": "UTC"}, "integer steps, and the time zone 'UTC' does not go with it"),
    (
        table(["2016-10-02 01:00", "2016-10-02 02:00", "2016-10-02 03:00"]),
        {"zone": "Australia/Melbourne"},
        "series 'a', ds 2016-10-02 02:00: clocks in Australia/Melbourne leave this time out; correct it, or",
    ),
    (
        table(["2016-04-03 02:00", "2016-04-03 00:00", "2016-04-03 02:00", "2016-04-03 05:00"]),
        {"zone": "Australia/Melbourne", "frequency": "h"},
        "series 'a', ds 2016-04-03 02:00: clocks in Australia/Melbourne show this time twice.*; sort",
    ),
    (
        table(["2016-04-03 02:00"] * 3),
        {"zone": "Australia/Melbourne", "frequency": "h"},
        "2 rows for one time",
    ),
    # numbers
    (
        table(HOURS, [1, float("inf"), 2]),
        {},
        "series 'a', ds 2024-01-01 01:00: y is inf; give finite numbers",
    ),
    (table(HOURS, ["1", "", "x"]), {}, "series 'a', ds 2024-01-01 02:00: y is 'x'; give finite numbers"),
    *(
        (table(HOURS, [first, "", second]), {}, rf"series 'a', ds 2024-01-01 00:00: y is .{re.escape(first)}.; {WRITE}")
        for first, second in (
            *(("1,100", "1,101"), ("1.100,50", "12.345.678,00"), ("100,5", "99"), ("100,5", "99,75"), ("100%", "7 %")),
            *(("$100", "-$1,200.50"), ("(1,100)", "5 \u20ac"), ("\u20b91,00,000", "\u20b999"), ("\u22125", "\u22126")),
            *(("1 100", "1\u202f200"), ("1'100", "1\u2019200.50")),
        )
    ),
    (table(HOURS, ["1,100", "-", "1,101"]), {}, f"ds 2024-01-01 00:00: y is '1,100'; {WRITE}"),
    (table(HOURS, ["950", "999.5", "1,101"]), {}, f"ds 2024-01-01 02:00: y is '1,101'; {WRITE}"),
    (table(HOURS, price=["0,5", "1", "2"]), {"past": ["price"]}, f"ds 2024-01-01 00:00: price is '0,5'; {WRITE}"),
    (table(HOURS, size=["1,5"] * 3), {"whole": "size"}, f"ds 2024-01-01 00:00: size is '1,5'; {WRITE}"),
    (table(HOURS, ["1", "NA", "-inf"]), {}, "series 'a', ds 2024-01-01 02:00: y is '-inf'; give finite"),
    (table(HOURS, [1.0, "x", 2.0]), {}, "y"),
    (
        table(HOURS, pd.to_datetime(HOURS).tolist()),
        {},
        "series 'a', ds 2024-01-01 00:00: y is .*; give finite numbers",
    ),
    (
        table(HOURS, price=[1.0, 2.0, float("inf")]),
        {"past": ["price"]},
        "ds 2024-01-01 02:00: price is inf; give",
    ),
    # covariates
    (
        table(HOURS, **COVARIATES),
        {"known": ["price"]},
        "series 'a', ds 2024-01-01 01:00: the known covariate 'price' is",
    ),
    (
        table([HOURS[0], HOURS[2]], price=[1.0, 2.0]),
        {"known": ["price"], "frequency": "h"},
        "series 'a', ds 2024-01-01 01:00: the known covariate 'price' is missing; fill it in",
    ),
    (
        table(HOURS, **COVARIATES),
        {"static": ["state"]},
        "series 'a': state is 'y' and 'x'; a static covariate has one",
    ),
    (table(HOURS, state=[None] * 3), {"static": ["state"]}, "series 'a': state is empty; give"),
    (
        table(HOURS, **COVARIATES),
        {"known": ["price"], "past": ["price"]},
        "named twice: .'price'.; name each once",
    ),
    (table(HOURS), {"past": ["y"]}, "named twice: .'y'."),
    # columns
    (
        table(HOURS),
        {"known": ["price"]},
        "no column 'price'; there are .'unique_id', 'ds', 'y'.; correct its name",
    ),
    (
        table(HOURS).drop(columns="y"),
        {},
        "no column 'y'; there are .'unique_id', 'ds'.; bring it into the long form",
    ),
    (pd.DataFrame({"ds": HOURS, "x": 1, "z": 2}), {}, "no column 'y'; there are .*pandas.melt"),
    (
        pd.DataFrame({"date": HOURS, "x": 1}),
        {},
        "no column 'ds' and no column 'y'; there are .'date', 'x'.;.*pandas.melt",
    ),
    (table([]), {}, "the table has no rows; give"),
    (
        table(HOURS).assign(unique_id=pd.Series(["a", None, "a"])),
        {},
        "row 2: unique_id is empty; name the series",
    ),
    (table(HOURS).assign(unique_id=["a", "a", ""]), {}, "row 3: unique_id is empty; name the series"),
]


@pytest.mark.parametrize(("frame", "options", "message"), CASES, ids=[message[:50] for _, _, message in CASES])
def test_refusals(frame: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError) as error:
        panel_from_frame(frame, **options)
    assert re.search(message, str(error.value)), str(error.value)


def test_a_column_given_twice() -> None:
    columns = pa.table([[1, 2], [1.0, 2.0], [3.0, 4.0]], names=["ds", "y", "y"])
    with pytest.raises(DataError, match=r"named twice: .'y'."):
        panel_from_frame(columns)


def test_the_series_of_the_refused_row_is_named() -> None:
    frame = pd.DataFrame({"unique_id": ["b", "a"] * 3, "ds": [1, 1, 2, 2, 3, 3], "y": [1, 1, 1, 1, 1, np.inf]})
    with pytest.raises(DataError, match="series 'a', ds 3: y is inf"):
        panel_from_frame(frame)
    frame = pd.DataFrame({"unique_id": ["b", "a"] * 3, "ds": [1, 1, 2, 2, 2, 3], "y": 1.0})
    with pytest.raises(DataError, match="series 'b', ds 2: 2 rows"):
        panel_from_frame(frame)
