"""A table becomes a panel, whatever the order of its rows, and a panel becomes the same table."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from pipelines.clock.frequency import Frequency
from pipelines.clock.zone import utc
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel

FREQUENCIES = ["step", "h", "30min", "D", "B", "W-WED", "2W-MON", "MS", "ME", "QS-JAN", "BME", "YE-DEC"]
ZONES = [None, "UTC", "UTC+10:00", "Europe/Berlin", "America/Sao_Paulo"]


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """Series of 1 to 30 steps with gaps, of which the first and the last step are observed."""
    frequency = Frequency(draw(st.sampled_from(FREQUENCIES)))
    zone = None if frequency.is_step else draw(st.sampled_from(ZONES))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lengths = random.integers(1, 30, draw(st.integers(1, 5)))
    first = np.array([7]) if frequency.is_step else utc(first_of(frequency), zone)[0]
    start = frequency.advance(first, random.integers(0, 50, len(lengths)), zone)
    indptr = np.concatenate([[0], lengths.cumsum()])
    values = random.normal(size=indptr[-1]).round(3)
    values[random.random(len(values)) < 0.3] = np.nan
    values[indptr[:-1]], values[indptr[1:] - 1] = 1.5, 2.5
    ahead = draw(st.booleans()) * random.integers(0, 4, len(lengths))
    known_indptr = np.concatenate([[0], (lengths + ahead).cumsum()])
    past = random.normal(size=(indptr[-1], 1))
    past[random.random(len(past)) < 0.2] = np.nan
    return Panel(
        ids=np.array([f"s{i}" for i in range(len(lengths))], dtype=object),
        values=values,
        indptr=indptr,
        start=start,
        frequency=frequency,
        zone=zone,
        known=random.normal(size=(known_indptr[-1], 2)),
        known_indptr=known_indptr,
        past=past,
        static=random.choice(["x", "y"], (len(lengths), 1)).astype(object),
        known_names=("price", "open"),
        past_names=("visits",),
        static_names=("state",),
    )


def first_of(frequency: Frequency) -> np.ndarray:
    return pd.date_range("2018-06-01", periods=1, freq=frequency.name, unit="ns").to_numpy().astype(np.int64)


def again(panel: Panel, frame: pd.DataFrame | pa.Table) -> Panel:
    return panel_from_frame(
        frame,
        frequency=panel.frequency.name,
        known=panel.known_names,
        past=panel.past_names,
        static=panel.static_names,
    )


@given(panels())
def test_panel_to_frame_to_panel(panel: Panel) -> None:
    assert again(panel, panel.frame()).digest == panel.digest


@given(panels(), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(panel: Panel, seed: int) -> None:
    assert again(panel, panel.frame().sample(frac=1, random_state=seed)).digest == panel.digest


@given(panels())
def test_gaps_are_where_rows_are_missing(panel: Panel) -> None:
    frame = panel.frame().drop(columns=["price", "open"])
    read = panel_from_frame(frame.dropna(subset="y"), frequency=panel.frequency.name, past=["visits"])
    np.testing.assert_array_equal(read.values, panel.values)
    np.testing.assert_array_equal(read.past, np.where(np.isnan(panel.values)[:, None], np.nan, panel.past))
    assert read.indptr.tolist() == panel.indptr.tolist()
    assert read.start.tolist() == panel.start.tolist()


@given(panels(), st.data())
def test_cut_keeps_the_beginning_and_what_is_known_ahead(panel: Panel, data: st.DataObject) -> None:
    lengths = np.array([data.draw(st.integers(1, int(length))) for length in panel.lengths])
    cut = panel.cut(lengths)
    assert cut.lengths.tolist() == lengths.tolist()
    for i in range(len(panel)):
        np.testing.assert_array_equal(cut.series(i), panel.series(i)[: lengths[i]])
        assert list(cut.times(i)) == list(panel.times(i)[: lengths[i]])
    assert cut.known is panel.known
    assert len(cut.past) == cut.total
    assert cut.cut(cut.lengths).digest == cut.digest
    assert panel.cut(panel.lengths).digest == panel.digest


@given(panels(), st.data())
def test_select_takes_whole_series_in_the_order_asked(panel: Panel, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, len(panel) - 1), max_size=5))
    some = panel.select(chosen)
    assert some.ids.tolist() == [panel.ids[i] for i in chosen]
    assert some.ends().tolist() == panel.ends()[chosen].tolist()
    assert some.static.tolist() == panel.static[chosen].tolist()
    for k, i in enumerate(chosen):
        np.testing.assert_array_equal(some.series(k), panel.series(i))
        ahead = slice(panel.known_indptr[i], panel.known_indptr[i + 1])
        np.testing.assert_array_equal(some.known[slice(*some.known_indptr[k : k + 2])], panel.known[ahead])
    assert panel.select(np.arange(len(panel))).digest == panel.digest


@given(panels())
def test_a_forecast_starts_one_step_after_the_last_value(panel: Panel) -> None:
    for i, end in enumerate(panel.ends()):
        longer = panel.frequency.advance(panel.start[i : i + 1], np.arange(panel.lengths[i] + 1), panel.zone)
        assert longer[-1] == end
        assert list(panel.times(i)) == list(panel.frequency.stamps(longer[:-1], panel.zone))


@given(panels(), st.data())
def test_the_digest_tells_every_change(panel: Panel, data: st.DataObject) -> None:
    frame = panel.frame()
    column = data.draw(st.sampled_from(["y", "price", "open", "visits"]))
    filled = np.flatnonzero(frame[column].notna())
    if filled.size:
        frame.loc[filled[data.draw(st.integers(0, filled.size - 1))], column] += 1e-9
        assert again(panel, frame).digest != panel.digest
    renamed = frame.assign(unique_id=frame["unique_id"] + "!")
    assert again(panel, renamed).digest != again(panel, frame).digest


def test_ids_are_sorted_text_whatever_they_were() -> None:
    for ids in (
        [10, 9, 10],
        ["10", "9", "10"],
        pd.Categorical(["10", "9", "10"], categories=["9", "8", "10"]),
    ):
        panel = panel_from_frame(pd.DataFrame({"unique_id": ids, "ds": [1, 1, 2], "y": [1.0, 3.0, 2.0]}))
        assert panel.ids.tolist() == ["10", "9"]
        assert panel.values.tolist() == [1.0, 2.0, 3.0]


def test_a_table_without_ids_is_one_series() -> None:
    panel = panel_from_frame(pd.DataFrame({"ds": ["2024-01", "2024-02"], "y": [1, 2]}))
    assert (panel.ids.tolist(), panel.frequency.name, panel.lengths.tolist()) == (["series"], "MS", [2])


def test_rows_after_the_last_y_of_all_series_wait_for_a_forecast() -> None:
    rows = {"unique_id": list("aaaabb"), "ds": [1, 2, 3, 4, 1, 2], "y": [1, None, None, None, 5, None]}
    assert panel_from_frame(pd.DataFrame(rows)).lengths.tolist() == [1, 1]
    later = pd.DataFrame(rows | {"y": [1, None, None, None, 5, 6]})  # the second is observed, so the first has a gap
    assert panel_from_frame(later).lengths.tolist() == [2, 2]
    assert panel_from_frame(later, to_the_end=True).lengths.tolist() == [4, 2]
    days = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=40), "y": [1.0] * 26 + [None] * 14})
    panel = panel_from_frame(days)
    assert panel.frequency.stamps(panel.ends(), None).tolist() == [pd.Timestamp("2024-01-27")]


def test_empty_y_at_the_end_is_the_future_of_known_covariates() -> None:
    rows = {"unique_id": "a", "ds": [1, 2, 3, 4], "y": [1, 2, None, None], "price": [5, 6, 7, None]}
    panel = panel_from_frame(pd.DataFrame(rows), known=["price"])
    assert panel.lengths.tolist() == [2]
    assert panel.known.tolist() == [[5], [6], [7]]
    assert panel.ends().tolist() == [3]


def test_a_series_of_gaps_is_kept_and_ends_with_the_others() -> None:
    rows = {
        "unique_id": list("aaaabbbb"),
        "ds": [1, 2, 3, 4] * 2,
        "y": [1, 2, None, None] + [None] * 4,
        "price": 1,
    }
    plain = panel_from_frame(pd.DataFrame(rows))
    assert plain.lengths.tolist() == [2, 2]
    assert np.isnan(plain.series(1)).all()
    known = panel_from_frame(pd.DataFrame(rows), known=["price"])
    assert known.lengths.tolist() == [2, 2]
    assert np.diff(known.known_indptr).tolist() == [4, 4]


def test_a_series_of_gaps_needs_its_known_covariates_up_to_its_end() -> None:
    rows = {"unique_id": list("aabb"), "ds": [1, 2] * 2, "y": [1, 2, None, None], "price": [1, 1, 1, None]}
    with pytest.raises(DataError, match="series 'b', ds 2: the known covariate 'price' is missing"):
        panel_from_frame(pd.DataFrame(rows), known=["price"])


@pytest.mark.parametrize(
    ("duplicates", "y", "price"),
    [("mean", 3, 15), ("sum", 6, 15), ("first", 2, 10), ("last", 4, 20)],
)
def test_duplicates(duplicates: str, y: float, price: float) -> None:
    rows = {"unique_id": "a", "ds": [1, 2, 2, 3], "y": [1, 2, 4, None], "price": [1, 10, 20, 1]}
    panel = panel_from_frame(pd.DataFrame(rows), past=["price"], duplicates=duplicates, to_the_end=True)
    np.testing.assert_array_equal(panel.values, [1, y, np.nan])
    assert panel.past[:, 0].tolist() == [1, price, 1]


def test_the_mean_of_duplicates_passes_over_gaps() -> None:
    frame = pd.DataFrame({"ds": [1, 2, 2, 3, 3], "y": [1, None, 4, None, None]})
    np.testing.assert_array_equal(panel_from_frame(frame, duplicates="mean", to_the_end=True).values, [1, 4, np.nan])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin", "+03:30"])
@pytest.mark.parametrize("first", ["1700-01-02", "2024-03-30", "2200-12-28"])
def test_stamps_of_every_unit_and_zone(unit: str, zone: str | None, first: str) -> None:
    instants = np.datetime64(first, "s") + np.arange(12) * np.timedelta64(6, "h")
    column = pd.DatetimeIndex(instants.astype(f"datetime64[{unit}]"))
    if zone is not None:
        column = column.tz_localize("UTC").tz_convert(zone)
    panel = panel_from_frame(pd.DataFrame({"ds": column, "y": 1.0}))
    assert panel.zone == (zone if zone != "+03:30" else "UTC+03:30")
    assert panel.frequency.name == "6h"
    assert list(panel.times(0)) == list(column)


@pytest.mark.parametrize("kind", ["large_string", "dictionary", "date", "object", "arrow", "bool"])
def test_columns_of_many_types(kind: str) -> None:
    days = pd.date_range("2024-01-01", periods=3)
    table = pa.table({"unique_id": ["a"] * 3, "ds": days, "y": [1, 0, 1]})
    text = pa.array([f"{day:%Y-%m-%d}" for day in days])
    columns = {
        "large_string": text.cast(pa.large_string()),
        "dictionary": text.dictionary_encode(),
        "date": text.cast(pa.date32()),
    }
    if kind in columns:
        read = panel_from_frame(table.set_column(1, "ds", columns[kind]), frequency="D")
    elif kind == "object":
        read = panel_from_frame(
            table.to_pandas().assign(ds=np.array(days.to_pydatetime(), dtype=object)), frequency="D"
        )
    elif kind == "bool":
        read = panel_from_frame(table.set_column(2, "y", pa.array([True, False, True])), frequency="D")
    else:
        read = panel_from_frame(table, frequency="D")
    assert read.values.tolist() == [1, 0, 1]
    assert list(read.times(0)) == list(days)


def test_the_profile_counts() -> None:
    times = ["2024-01-01T00Z", "2024-01-01T02Z", "2024-01-01T01Z"]
    profile = panel_from_frame(pd.DataFrame({"unique_id": ["a", "a", "b"], "ds": times, "y": 1}), frequency="h").profile
    counts = [profile[name] for name in ("series", "observations", "gaps", "shortest", "longest")]
    assert counts == [2, 3, 1, 1, 3]
    assert (profile["start"], profile["end"]) == ("2024-01-01 00:00+00:00", "2024-01-01 02:00+00:00")


def test_unknown_duplicates_are_refused() -> None:
    with pytest.raises(DataError, match="use one of error, mean"):
        panel_from_frame(pd.DataFrame({"ds": [1], "y": [1]}), duplicates="median")
