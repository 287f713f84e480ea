"""Origins look at the past only, count back from each series' end, and follow one another."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecaster.errors import DataError
from forecaster.spec import Task
from pipelines.data.doors import panel_from_series
from pipelines.data.panel import Panel
from pipelines.evaluation.split import after, origins, split


def counting(lengths: list[int]) -> Panel:
    """Series whose values are their own steps."""
    target = [[float(step) for step in range(length)] for length in lengths]
    return panel_from_series([str(i) for i in range(len(lengths))], [0] * len(lengths), target, "step")


@given(st.lists(st.integers(1, 40), min_size=1), st.integers(1, 6), st.integers(1, 5), st.integers(1, 8))
def test_what_comes_after_an_origin_goes_on_where_its_panel_ends(
    lengths: list[int], horizon: int, windows: int, stride: int
) -> None:
    panel = counting(lengths)
    rolling = origins(panel, horizon, windows, stride)
    assert rolling.actual.shape == (windows * len(panel), horizon)
    for number, later in enumerate(reversed(range(windows))):
        one = rolling.rows(number * len(panel), (number + 1) * len(panel))
        assert one is not None
        before, actual = one
        assert before.ids.tolist() == panel.ids.tolist()
        for i, length in enumerate(lengths):
            cut = length - horizon - later * stride
            if cut < 1:
                assert before.lengths[i] == 1
                assert np.isnan(actual[i]).all()
            else:
                assert before.series(i).tolist() == list(range(cut))
                assert actual[i].tolist() == list(range(cut, cut + horizon))


def test_a_series_without_an_observation_before_the_origin_is_not_judged() -> None:
    panel = panel_from_series(["a", "b"], [0, 0], [[None, None, 1, 2], [1, None, 3, None]], "step")
    before, actual = origins(panel, 2, 1)
    assert before.lengths.tolist() == [2, 2]
    assert np.isnan(actual[0]).all()
    np.testing.assert_array_equal(actual[1], [3, np.nan])


def test_known_covariates_reach_beyond_the_origin() -> None:
    known = [{"price": list(range(10))}]
    panel = panel_from_series(["a"], [0], [[1.0] * 8], "step", known=known, known_names=["price"])
    before = origins(panel, 3, 1).panel
    assert before.lengths.tolist() == [5]
    assert before.known[:, 0].tolist() == list(range(10))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=100), st.integers(1, 30))
def test_the_parts_follow_one_another_up_to_the_end(lengths: list[int], horizon: int) -> None:
    panel = counting(lengths)
    parts = split(panel, Task(horizon=horizon))
    held_out = [part.actual for part in (parts.calibrate, parts.test) if part is not None]
    assert parts.calibrate is None or len(parts.calibrate.actual) <= len(held_out[-1])
    assert (parts.train.lengths >= np.median(lengths) / 2 - 1).any()
    for i, length in enumerate(lengths):
        steps = [np.unique(actual[i :: len(panel)]) for actual in held_out]  # origins may share some
        seen = np.concatenate([np.empty(0), *steps])
        seen = seen[~np.isnan(seen)]
        assert (np.diff(seen) > 0).all()
        assert seen[-1:].tolist() in ([], [length - 1])
        if held_out and not np.isnan(held_out[0][i]).any():
            assert parts.train.lengths[i] == seen[0]


@given(st.integers(1, 20), st.integers(10, 3000), st.integers(1, 400))
def test_origins_are_closer_than_a_horizon_only_where_there_is_no_room(series: int, length: int, horizon: int) -> None:
    parts = split(counting([length] * series), Task(horizon=horizon))
    for part in (parts.calibrate, parts.test):
        if part is None:
            continue
        apart = np.diff(part.panel.lengths[::series])
        assert (apart >= min(horizon, max(1, horizon // 8))).all()
        assert (apart >= horizon).all() or len(part.actual) // series * horizon > 0.15 * length


def test_many_series_with_room_for_one_origin_take_turns() -> None:
    parts = split(counting([15] * 131), Task(horizon=6))
    assert parts.calibrate is not None
    assert parts.test is not None
    assert parts.calibrate.panel.ids.tolist() == [str(i) for i in range(0, 131, 2)]
    assert parts.test.panel.ids.tolist() == [str(i) for i in range(1, 131, 2)]
    assert len(parts.train) == 131
    assert parts.before is None
    for part in (parts.calibrate, parts.test):
        assert (part.panel.lengths == 9).all()
        assert (part.actual == np.arange(9, 15)).all()


@pytest.mark.parametrize(
    ("series", "length", "horizon", "calibrate", "test"),
    [
        (414, 900, 48, 2, 2),
        (2000, 900, 48, 1, 1),
        (4, 17_544, 48, 8, 8),
        (1, 100, 5, 8, 8),
        (7, 11_520, 720, 8, 8),
        (8, 5_000, 720, 1, 1),
        (1, 10, 2, 1, 1),
        (1, 10, 4, 0, 1),
        (1, 10, 8, 0, 0),
        (3, 1, 1, 0, 0),
    ],
)
def test_how_much_is_held_out(series: int, length: int, horizon: int, calibrate: int, test: int) -> None:
    parts = split(counting([length] * series), Task(horizon=horizon))
    found = (0 if part is None else len(part.actual) // series for part in (parts.calibrate, parts.test))
    assert tuple(found) == (calibrate, test)
    if not test:
        assert parts.train.total == series * length


@pytest.mark.parametrize("series", [4, 100, 2000])
@pytest.mark.parametrize("until", [850, 600, 300, 10])
def test_half_is_left_to_train_on_however_early_another_model_stopped(series: int, until: int) -> None:
    parts = split(counting([900] * series), Task(horizon=48), str(until))
    assert parts.train.lengths.min() >= 450 - 48
    assert parts.test is not None
    assert np.nanmin(parts.test.actual) > until


@pytest.mark.parametrize(
    ("frequency", "start", "zone", "until", "left"),
    [
        ("W-SUN", "2024-01-07", None, "2024-01-24", 7),
        ("B", "2024-01-01", None, "2024-01-06", 5),
        ("MS", "2024-01-01", "Europe/Berlin", "2024-03-31T02:30", 7),
        ("h", "2024-01-01T00:30", None, "2024-01-01T02:15", 8),
        ("h", "2024-03-31", "Europe/Berlin", "2024-03-31T02:30", 8),
        ("D", "2024-01-01", "Europe/Berlin", "2024-01-02T23:30Z", 7),
        ("D", "2024-01-01", None, "2023-12-31", 10),
        ("D", "2024-01-01", None, "2024-02-01T12:00", 0),
        ("step", 0, None, "3", 6),
    ],
)
def test_what_comes_after_a_time_that_need_not_be_on_the_grid(
    frequency: str, start: str | int, zone: str | None, until: str, left: int
) -> None:
    panel = panel_from_series(["a"], [start], [[1.0] * 10], frequency, zone=zone)
    assert after(panel, until).tolist() == [left]


@pytest.mark.parametrize(
    ("frequency", "start", "until", "message"),
    [
        ("step", 0, "2024-01-24", "ds counts integer steps and the as-of is 2024-01-24; give an integer"),
        ("D", "2024-01-01", "7", "ds holds times and the as-of is 7; give a time"),
        ("D", "2024-01-01", "2024-01-03T00:00Z", "has an offset and the times in ds have none"),
    ],
)
def test_what_is_no_time_of_the_series_is_refused(frequency: str, start: str | int, until: str, message: str) -> None:
    panel = panel_from_series(["a"], [start], [[1.0] * 10], frequency)
    with pytest.raises(DataError, match=message):
        after(panel, until)
