"""What a good request gets: its laws over many requests, then cases."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forecaster.manifest import Covariate, DataSpec
from forecaster.spec import CoreSpec, HeadSpec, RecurrentSpec
from tests.service.conftest import Live
from tests.service.examples import LSTM, STEPS, UNTIL, Client, request, series

values = st.one_of(
    st.none(),
    st.integers(-(10**6), 10**6),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.sampled_from([0.0, 1e9, 1e300, -1e300, 1e-300, 1e-320]),
)
targets = st.lists(values, min_size=1, max_size=40).filter(lambda target: any(v is not None for v in target))
levels = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=6, unique=True)


def check(answer: dict[str, Any], asked: dict[str, Any]) -> None:
    """The law of an answer: a forecast per series in order, right lengths, finite, quantiles in order."""
    assert [one["id"] for one in answer["forecasts"]] == [one["id"] for one in asked["series"]]
    keys = [repr(level) for level in asked.get("quantiles", [0.1, 0.5, 0.9])]
    for one in answer["forecasts"]:
        assert list(one["quantiles"]) == keys
        rows = [one["quantiles"][key] for key in sorted(keys, key=float)]
        for row in (one["mean"], *rows):
            assert len(row) == asked["horizon"]
            assert all(isinstance(value, float | int) and math.isfinite(value) for value in row)
        for low, high in pairwise(rows):
            assert all(a <= b for a, b in zip(low, high, strict=True))


@given(data=st.lists(targets, min_size=1, max_size=5), horizon=st.integers(1, 30), quantiles=levels)
def test_law_of_the_answer(
    steps: Client, naive: Client, data: list[list[float | None]], horizon: int, quantiles: list[float]
) -> None:
    asked = request(
        *({"id": f"s{i}", "target": target} for i, target in enumerate(data)),
        horizon=horizon,
        quantiles=quantiles,
    )
    for client in (steps, naive):
        check(client.forecast(asked), asked)


@given(
    target=st.lists(st.none() | st.floats(1e-3, 1e6) | st.floats(-1e6, -1e-3), min_size=1, max_size=30),
    power=st.integers(-60, 60),
    horizon=st.integers(1, 9),
)
def test_a_power_of_two_scales_exactly(hourly: Client, target: list[float | None], power: int, horizon: int) -> None:
    assume(any(value is not None for value in target))
    scaled = [None if value is None else math.ldexp(value, power) for value in target]
    one, other = (
        hourly.forecast(request({"id": "a", "target": values}, horizon=horizon))["forecasts"][0]
        for values in (target, scaled)
    )
    assert other["mean"] == [math.ldexp(value, power) for value in one["mean"]]
    for key, row in one["quantiles"].items():
        assert other["quantiles"][key] == [math.ldexp(value, power) for value in row]


@given(data=st.lists(targets, min_size=2, max_size=4), horizon=st.integers(1, 9))
def test_series_do_not_see_each_other(steps: Client, data: list[list[float | None]], horizon: int) -> None:
    together = [{"id": f"s{i}", "target": target} for i, target in enumerate(data)]
    answers = steps.forecast(request(*together, horizon=horizon))["forecasts"]
    for one, answer in zip(together, answers, strict=True):
        alone = steps.forecast(request(one, horizon=horizon))["forecasts"][0]
        assert answer["mean"] == pytest.approx(alone["mean"], rel=1e-5, abs=1e-300)


@pytest.mark.parametrize(
    ("target", "low", "high"),
    [
        ([5.0] * 30, 4.8, 5.2),
        ([0] * 30, 0, 0),
        ([7.5], 0, 15),
        ([None, None, 3, None], 0, 6),
        ([1e9 + math.sin(step) for step in range(300)], 1e9 - 100, 1e9 + 100),
        ([1e300, -1e300] * 9, -1e303, 1e303),
        ([1e-300 * (2 + math.sin(step)) for step in range(60)], -1e-297, 1e-297),
    ],
    ids=["constant", "zero", "one point", "one point and gaps", "offset", "huge", "tiny"],
)
def test_numbers(steps: Client, target: list[float | None], low: float, high: float) -> None:
    asked = request({"id": "a", "target": target}, horizon=10)
    answer = steps.forecast(asked)
    check(answer, asked)
    forecast = answer["forecasts"][0]
    for row in (forecast["mean"], *forecast["quantiles"].values()):
        assert all(low <= value <= high for value in row)


def test_seasonal_naive_repeats_the_season(naive: Client) -> None:
    answer = naive.forecast(request({"id": "a", "target": [1, 2, 3, 4, 5, None]}, horizon=5))
    assert answer["model"] == {"name": "shop", "version": "7", "trained_until": UNTIL}
    assert answer["forecasts"][0]["mean"] == [4, 5, 3, 4, 5]


def test_thousands_of_series(naive: Client) -> None:
    asked = request(*(series(f"s{i}", length=1 + i % 50) for i in range(3000)), horizon=2)
    check(naive.forecast(asked), asked)


@pytest.mark.parametrize(
    ("start", "begins"),
    [
        ("2024-01-01T00:00:00+01:00", "2024-01-01T12:00:00+01:00"),
        ("2024-01-01 00:00+01:00", "2024-01-01T12:00:00+01:00"),
        ("2023-12-31T23:00:00Z", "2024-01-01T11:00:00+00:00"),
        ("2024-01-01T05:30:00+05:30", "2024-01-01T17:30:00+05:30"),
        ("2024-01-01T00:00:00", "2024-01-01T12:00:00"),
        ("2024-01-01", "2024-01-01T12:00:00"),
        ("2024-03-30T20:00:00+01:00", "2024-03-31T09:00:00+02:00"),
        ("2024-03-30T20:00:00", "2024-03-31T09:00:00"),
        ("2024-10-26T20:00:00+02:00", "2024-10-27T07:00:00+01:00"),
        ("2024-01-01T00:15:00.5+01:00", "2024-01-01T12:15:00.500000000+01:00"),
        (None, 12),
    ],
)
def test_start_is_written_as_the_client_writes_it(hourly: Client, start: str | None, begins: str | int) -> None:
    answer = hourly.forecast(request(series(start=start, freq="h")))
    assert answer["forecasts"][0]["start"] == begins
    assert answer["forecasts"][0]["freq"] == "h"


@pytest.mark.parametrize(
    ("data", "start", "begins"),
    [
        (
            DataSpec(frequency="MS", zone="Europe/Berlin"),
            "2023-05-01T00:00:00+02:00",
            "2024-05-01T00:00:00+02:00",
        ),
        (DataSpec(frequency="MS", zone="Europe/Berlin"), "2023-01-01", "2024-01-01T00:00:00"),
        (DataSpec(frequency="MS"), "2023-01-01T00:00:00+05:00", "2024-01-01T00:00:00+05:00"),
        (DataSpec(frequency="W-SUN"), "2024-01-07", "2024-03-31T00:00:00"),
        (DataSpec(frequency="ME"), "2024-01-31", "2025-01-31T00:00:00"),
        (DataSpec(frequency="B"), "2024-01-01", "2024-01-17T00:00:00"),
        (DataSpec(frequency="30min"), "2024-01-01T00:30", "2024-01-01T06:30:00"),
        (
            DataSpec(frequency="D", zone="Europe/Berlin"),
            "2024-03-25T00:00+01:00",
            "2024-04-06T00:00:00+02:00",
        ),
        (DataSpec(frequency="YS-JAN"), "2000-01-01", "2012-01-01T00:00:00"),
        (DataSpec(frequency="step"), 5, 17),
        (DataSpec(frequency="step"), -20, -8),
        (DataSpec(frequency="step"), None, 12),
    ],
)
def test_every_frequency(live: Live, data: DataSpec, start: str | int | None, begins: str | int) -> None:
    client = live(LSTM, data)
    asked = request(series(start=start), horizon=9)
    answer = client.forecast(asked)
    check(answer, asked)
    assert answer["forecasts"][0]["start"] == begins
    assert answer["forecasts"][0]["freq"] == data.frequency
    check(client.forecast(asked := request(series(), horizon=9)), asked)


def test_the_same_frequency_by_another_name(hourly: Client) -> None:
    assert hourly.forecast(request(series(freq="60min"))) == hourly.forecast(request(series(freq="H")))


def test_starts_in_the_own_zone_on_both_sides_of_a_change(hourly: Client) -> None:
    answer = hourly.forecast(
        request(
            series("winter", start="2024-01-01T00:00:00+01:00"),
            series("summer", start="2024-07-01T00:00:00+02:00"),
        )
    )
    starts = [one["start"] for one in answer["forecasts"]]
    assert starts == ["2024-01-01T12:00:00+01:00", "2024-07-01T12:00:00+02:00"]


def test_the_time_of_day_counts(hourly: Client) -> None:
    night, noon = (hourly.forecast(request(series(start=f"2024-01-01T{hour}:00:00+01:00"))) for hour in ("00", "12"))
    assert night["forecasts"][0]["mean"] != noon["forecasts"][0]["mean"]


def test_covariates(rich: Client) -> None:
    one = series(
        start="2024-01-01",
        known={"price": [10.0] * 12 + [9, 9, 12.5]},
        past={"rain": [0.5, None] * 6},
        static={"shop": "north"},
    )
    asked = request(one)
    answer = rich.forecast(asked)
    check(answer, asked)
    for change in (
        {"known": {"price": [10.0] * 12 + [9, 9, 0.0]}},
        {"past": {"rain": [2.5, None] * 6}},
        {"static": {"shop": "south"}},
    ):
        assert rich.forecast(request(one | change))["forecasts"] != answer["forecasts"]
    unseen = request(one | {"static": {"shop": "west"}, "known": {"price": [1e300] * 15}})
    check(rich.forecast(unseen), unseen)


def test_a_covariate_that_never_moved_in_training_is_said_where_it_moves(live: Live) -> None:
    still = live(LSTM, DataSpec(frequency="D", known=(Covariate(name="price", mean=4.95, deviation=0.0),)))
    one = series(start="2024-01-01", target=[1.0] * 12, known={"price": [4.95] * 15})
    usual = still.forecast(request(one))
    moved = still.forecast(request(one | {"known": {"price": [4.95] * 14 + [5.95]}}))
    assert usual["warnings"] == []
    assert moved["warnings"] == [
        "series 'a', ds 2024-01-15 00:00: the covariate 'price' is 5.95 and never moved in training; once read as 4.95"
    ]
    assert moved["forecasts"] == usual["forecasts"]


def test_quantiles_keep_the_order_and_the_writing_of_the_client(steps: Client) -> None:
    answer = steps.forecast(b'{"series":[{"id":"a","target":[1,2,3]}],"horizon":2,"quantiles":[0.9,0.25,0.5]}')
    assert list(answer["forecasts"][0]["quantiles"]) == ["0.9", "0.25", "0.5"]
    assert list(steps.forecast(request())["forecasts"][0]["quantiles"]) == ["0.1", "0.5", "0.9"]


def test_paths_are_joint_samples(steps: Client) -> None:
    asked = request(series("a"), series("b"), horizon=9, paths=400, seed=3)
    answer = steps.forecast(asked)
    check(answer, asked)
    assert steps.forecast(asked) == answer
    assert steps.forecast(asked | {"seed": 4}) != answer
    for one in answer["forecasts"]:
        paths = np.array(one["paths"])
        assert paths.shape == (400, 9)
        assert (paths <= one["quantiles"]["0.5"]).mean(0) == pytest.approx(np.full(9, 0.5), abs=0.1)
    assert "paths" not in steps.forecast(request())["forecasts"][0]


@pytest.mark.parametrize(
    ("family", "target"),
    [
        ("negative_binomial", [0, 3, 1, 0, 0, 7, 2]),
        ("zero_inflated_negative_binomial", [0, 0, 0, 1, 0, 0, 2]),
        ("bernoulli", [0, 1, 1, 0, 1, 1, 0]),
    ],
)
def test_counts_and_binary_targets_stay_whole(live: Live, family: str, target: list[int]) -> None:
    model = RecurrentSpec(core=CoreSpec(cell="gru", width=8, layers=1), head=HeadSpec(family=family))
    client = live(model, STEPS)
    asked = request({"id": "a", "target": target}, horizon=9, paths=50, quantiles=[0.01, 0.33, 0.5, 0.77, 0.99])
    (one,) = client.forecast(asked)["forecasts"]
    values = np.array([*one["quantiles"].values(), *one["paths"]])
    assert (values == values.round()).all()
    assert (values >= 0).all()
    assert values.max() <= 1 or family != "bernoulli"


@pytest.mark.parametrize("paths", [-1, 10_001, 1.5, "many"])
def test_a_number_of_paths_that_is_none(steps: Client, paths: object) -> None:
    assert steps("POST", "/forecast", request(paths=paths)).status_code == 422


def test_too_many_paths_are_refused(steps: Client) -> None:
    answer = steps("POST", "/forecast", request(horizon=1000, paths=2000))
    assert answer.status_code == 422
    assert "1 series x 1000 steps x 2004 numbers are more than 2000000" in answer.text
