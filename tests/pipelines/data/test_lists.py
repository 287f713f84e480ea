"""Series from lists, as a request has them: the panel of a table, and refusals that name the place."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.data.doors import panel_from_frame, panel_from_series
from pipelines.data.panel import Panel

START = "2024-01-01T00:00:00+01:00"
numbers = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.lists(st.lists(st.none() | numbers, min_size=1), min_size=1),
    st.sampled_from(["h", "D", "MS", "10min"]),
)
def test_lists_and_tables_give_the_same_panel(target: list[list[float | None]], frequency: str) -> None:
    ids = [f"{i:04d}" for i in range(len(target))]
    panel = panel_from_series(ids, ["2024-01-01"] * len(ids), target, frequency, zone="Europe/Berlin")
    read = panel_from_frame(panel.frame(), frequency=frequency, to_the_end=True)  # a list may end with gaps
    assert read.digest == panel.digest
    assert [[None if np.isnan(y) else y for y in panel.series(i)] for i in range(len(ids))] == target


@given(st.permutations(["a", "b", "c"]))
def test_the_order_of_the_request_is_kept(ids: list[str]) -> None:
    panel = panel_from_series(ids, [1, 2, 3], [[1.0], [2.0, 3.0], [4.0]], "step")
    assert panel.ids.tolist() == ids
    assert panel.values.tolist() == [1, 2, 3, 4]
    assert panel.ends().tolist() == [2, 4, 4]


def test_covariates() -> None:
    panel = request()
    assert panel.known.tolist() == [[10, 1], [11, 1], [12, 0], [13, 0], [20, 0]]
    assert panel.known_indptr.tolist() == [0, 4, 5]
    np.testing.assert_array_equal(panel.past, [[5], [np.nan], [7]])
    assert panel.static.tolist() == [["north"], ["south"]]


@pytest.mark.parametrize(
    ("start", "zone", "expected"),
    [
        ("2024-01-01T00:00:00+01:00", None, "UTC+01:00"),
        ("2024-01-01T00:00:00+01:00", "Europe/Berlin", "Europe/Berlin"),
        ("2024-01-01", "Europe/Berlin", "Europe/Berlin"),
        ("2024-01-01", None, None),
        ("2023-12-31T23:00:00Z", None, "UTC"),
        (datetime(2023, 12, 31, 23, tzinfo=UTC), None, "UTC"),
    ],
)
def test_zones(start: str | datetime, zone: str | None, expected: str | None) -> None:
    panel = panel_from_series(["a"], [start], [[1.0]], "h", zone=zone)
    assert panel.zone == expected
    midnight = np.datetime64("2024-01-01" if expected is None else "2023-12-31T23", "ns")
    assert panel.start.view("datetime64[ns]") == midnight


def request(**changes: Any) -> Panel:
    given: dict[str, Any] = {
        "ids": ["a", "b"],
        "start": [START, START],
        "target": [[1, None], [2.5]],
        "frequency": "h",
        "known": [{"price": [10, 11, 12, 13], "open": [1, 1, 0, 0]}, {"price": [20], "open": [0]}],
        "past": [{"visits": [5, None]}, {"visits": [7]}],
        "static": [{"state": "north"}, {"state": "south"}],
        "known_names": ["price", "open"],
        "past_names": ["visits"],
        "static_names": ["state"],
    }
    return panel_from_series(**given | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ids": [], "start": [], "target": []}, "there are no series; give at least one"),
        ({"ids": ["a", "a"]}, "series 'a': two series have this id; give each its own"),
        ({"target": [[1], [1, float("inf")]]}, r"series 'b', target\[1\]: inf is no finite number; give"),
        ({"target": [[10**400, 1], [1]]}, r"series 'a', target\[0\]: 1000.* is no finite number; give"),
        ({"target": [[1, 2], ["3"]]}, r"series 'b', target\[0\]: '3' is no finite number; give"),
        ({"target": [[1, True], [3]]}, r"series 'a', target\[1\]: True is no finite number; give"),
        ({"target": [[1, [2]], [3]]}, r"series 'a', target\[1\]: \[2\] is no finite number; give"),
        (
            {"start": [START, "2024-01-01"]},
            "series 'b', start '2024-01-01': no UTC offset, and other rows have one",
        ),
        (
            {"start": [START, "2024-01-01T00:00+02:00"]},
            "series 'b', start .*: another UTC offset than .01:00; write all with one, or name",
        ),
        ({"start": [START, "noon"]}, "series 'b', start 'noon': not a time; write"),
        (
            {"start": [START, "9999-01-01T00:00:00Z"]},
            "series 'b', start '9999.*: not a time; .* 1700 and 2200",
        ),
        (
            {"start": ["2199-12-31T23:00Z", "1690-01-01T00Z"]},
            "series 'b', start 1690-01-01: outside the years",
        ),
        (
            {"start": ["2024-01-01T00:00Z", "2200-12-31T23:00Z"]},
            "series 'b', start: a time outside the years 1700 to 2200",
        ),
        ({"start": [START, 5]}, "series 'b': start is 5; give a time"),
        ({"start": ["20240131", "20240201"]}, "series 'a': start is '20240131'; give a time"),
        ({"frequency": "step", "start": [5, START]}, "series 'b': start is '2024.*; give an integer"),
        ({"frequency": "step", "start": [5, 10**30]}, "series 'b': start is 10*; give an integer"),
        (
            {"start": ["2024-01-01", "2024-01-02"], "frequency": "MS"},
            "series 'b', start 2024-01-02: no step of 'MS' b",
        ),
        ({"frequency": "fortnight"}, "unknown frequency 'fortnight'; use one of pandas"),
        ({"zone": "Atlantis"}, "unknown time zone 'Atlantis'"),
        (
            {"known": [{"price": [1, 2], "open": [1, 2]}, {"price": [3]}]},
            "series 'b', known: .* give exactly",
        ),
        (
            {"known_names": ["price"]},
            "series 'a', known: known covariates .'price', 'open'. where .'price'. are read; give exactly these",
        ),
        (
            {"known_names": [], "past": [], "past_names": []},
            "known: .* where none are read; leave them out",
        ),
        ({"past": []}, "series 'a', past: past covariates .. where .'visits'. are read; give exactly these"),
        (
            {"past": [{"visits": [1, 2]}, {"visits": [1, 2]}]},
            "series 'b', past.visits: 2 values for 1 of target; give one",
        ),
        (
            {"known": [{"price": [1], "open": [1]}] * 2},
            "series 'a', known.price: 1 values for 2 of target; give one",
        ),
        (
            {"known": [{"price": [1, 2], "open": [1, 2, 3]}] * 2},
            "series 'a', known.open: 3 values for 2 .* as many as",
        ),
        (
            {"known": [{"price": [1, 2], "open": [1, 2]}, {"price": [1, 2], "open": [1, None]}]},
            r"series 'b', known.open\[1\]: missing; what is known ahead has no gaps",
        ),
        (
            {"static": [{"state": "x"}, {}]},
            "series 'b', static: static covariates .. where .'state'. are read; give exactly these",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        request(**changes)
