"""What a bad request gets: a 4xx that says what is wrong, in which series, where, and what mends it."""

import json
import math
import random
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ErrorResponse
from service.schema import MAX_HORIZON, MAX_SERIES
from tests.service.conftest import Live
from tests.service.examples import JSON, NAIVE, STEPS, Client, request, series


def refused(response: httpx.Response) -> dict[str, str | None]:
    """The error of a response, which has to be a 4xx in the one shape, fully filled in."""
    assert 400 <= response.status_code < 500, f"{response.status_code} {response.text}"
    assert response.headers["content-type"] == "application/json"
    error = ErrorResponse.model_validate_json(response.content).error
    assert error.message
    assert error.remedy
    assert "Traceback" not in response.text
    return error.model_dump()


def post(client: Client, body: bytes | str | dict[str, Any]) -> httpx.Response:
    return client("POST", "/forecast", body)


GOOD = series(start="2024-01-01T00:00:00+01:00", freq="h")
NOT_JSON = [
    *(
        "",
        " ",
        "{",
        "}",
        "[",
        '"',
        "nul",
        "{'series': []}",
        '{"series"}',
        '{"horizon": 1,}',
        "{}{}",
        "\ufeff{}",
    ),
    *(
        '{"series":[{"id":"a","target":[1,]}],"horizon":1}',
        '{"series":[{"id":"a","target":[01]}],"horizon":1}',
    ),
    *(
        '{"series":[{"id":"a","target":[.5]}],"horizon":1}',
        '{"series":[{"id":"a","target":[+1]}],"horizon":1}',
    ),
    *(
        '{"series":[{"id":"a\nb","target":[1]}],"horizon":1}',
        '{"series":[{"id":"\\ud800","target":[1]}],"horizon":1}',
    ),
    *(
        '{"series":[{"id":"a","target":[nan]}],"horizon":1}',
        "a=1&b=2",
        "<xml/>",
        "[" * 100_000,
        '{"a":' * 100_000,
    ),
    "1" * 10_000,
    b"\xff\xfe{\x00}\x00",
    b'{"series":[{"id":"\xff","target":[1]}],"horizon":1}',
]
Wrong = tuple[Any, str | None, str | None]
"""A body, and the series and the place that the error has to name."""


def top(place: str, name: str, *values: Any) -> list[Wrong]:
    """Good requests with another value of one field."""
    return [(request(GOOD) | {name: value}, None, place) for value in values]


def inner(place: str | None, name: str, *values: Any) -> list[Wrong]:
    """Good requests with another value of one field of their series."""
    return [(request(GOOD | {name: value}), "a", place) for value in values]


many = [series(f"s{i}", length=1) for i in range(MAX_SERIES + 1)]
WRONG: list[Wrong] = [
    ([], None, "body"),
    ("text", None, "body"),
    (None, None, "body"),
    ({}, None, "series"),
    *top("series", "series", None, [], {"a": GOOD}),
    ({"series": [GOOD]}, None, "horizon"),
    *top("series[0]", "series", [None], [[1, 2]], [1, 2]),
    *top("surprise", "surprise", 1, None),
    *top("horizon", "horizon", 0, -1, MAX_HORIZON + 1, 10**30, None, "3", 3.0, 2.5, True, [3], {}),
    *top("quantiles", "quantiles", [], None, 0.5, "0.5", {}, [0.5] * 100),
    *top("quantiles[1]", "quantiles", [0.5, 0], [0.5, 1], [0.5, -0.1], [0.5, 1e-9], [0.5, 50], [0.5, 0.5]),
    *top("quantiles[1]", "quantiles", [0.5, None], [0.5, "0.1"], [0.5, True], [0.5, []]),
    (request(*many[:1000], horizon=5000), None, "horizon"),
    (request(*many), None, "series"),
    *((request(GOOD | {"id": bad}), None, "series[0].id") for bad in (None, 1, True)),
    *((request(GOOD | {"id": bad}), bad[:200], "id") for bad in ("", "a\0b", "a\nb", "\x7f", "x" * 201)),
    (request({"target": [1]}), None, "series[0].id"),
    (request({"id": "a"}), "a", "target"),
    (request(GOOD, GOOD), "a", None),
    *inner("surprise", "surprise", 1),
    *inner("Target", "Target", [1]),
    *inner("target", "target", [], None, 1, "1,2", {"0": 1}, [None, None]),
    *inner("target[1]", "target", [1, "2"], [1, "NaN"], [1, True], [1, [2]], [1, {}], [1, ""], [1, 10**400]),
    *inner("target[1]", "target", [1, math.nan], [1, math.inf], [1, -math.inf], [1, 1.1e300], [1, -1.7e308]),
    (request(series("fine"), series("bad") | {"target": [None] * 3}), "bad", "target"),
    *inner("freq", "freq", "hourly", "x", "-h", "0h", "1.5.h", "a b"),
    *inner("freq", "freq", "D", "30min", "2h", "MS", "step", 3600, "", True),
    *inner("start", "start", True, 1.5, [], {}, "", 10**20, "yesterday", "12:00", "0", "20240101"),
    *inner("start", "start", "2024-01-01T00:00:00+99:00"),
    *inner(None, "start", 7, "2024-13-01", "2024-02-30", "2024-01-01T25:00", "2024-03-31T02:30:00"),
    *inner(None, "start", "0001-01-01", "9999-12-31T23:00Z", "1500-01-01T00:00"),
    (request(GOOD | {"start": "2199-12-31T20:00:00+00:00"}, horizon=10_000), None, None),
    (request(GOOD, series("b", start="2024-01-01T00:00:00")), None, None),
    (request(GOOD, series("b")), "b", "start"),
    (request(GOOD, series("b", start="2024-01-01T00:00:00Z")), "b", "start"),
    (request(GOOD, series("b", start="2024-07-01T00:00:00+03:00")), "b", "start"),
    *inner(None, "known", {"x": [1.0] * 15}, {"\0": [1]}),
    *inner("known", "known", None, [], 1, "x"),
    *inner("known.x[1]", "known", {"x": [1, None]}, {"x": [1, "2"]}, {"x": [1, math.nan]}),
    *inner(None, "past", {"x": [1.0] * 12}),
    *inner("past", "past", None, [], 1, "x"),
    *inner("past.x[1]", "past", {"x": [1, math.inf]}, {"x": [1, "2"]}),
    *inner(None, "static", {"x": "y"}),
    *inner("static", "static", None, [], 1, "x"),
    *inner("static.x", "static", {"x": 3}, {"x": None}, {"x": "\0"}),
]


@pytest.mark.parametrize("body", NOT_JSON, ids=range(len(NOT_JSON)))
def test_what_is_not_json(hourly: Client, body: bytes | str) -> None:
    response = post(hourly, body)
    assert response.status_code in (400, 422)
    assert refused(response)["place"]


@pytest.mark.parametrize(("body", "name", "place"), WRONG, ids=range(len(WRONG)))
def test_what_is_not_a_request(hourly: Client, body: Any, name: str | None, place: str | None) -> None:
    response = post(hourly, json.dumps(body))
    assert response.status_code == 422
    error = refused(response)
    if name is not None:
        assert error["series"] == name
    if place is not None:
        assert error["place"] == place


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "-Infinity", "1" + "0" * 400])
@pytest.mark.parametrize("field", ["target", "known", "past"])
def test_what_is_no_finite_number(hourly: Client, number: str, field: str) -> None:
    values = f"[1, {number}]"
    target = values if field == "target" else "[1]"
    other = "" if field == "target" else f', "{field}": {{"x": {values}}}'
    response = post(hourly, f'{{"series": [{{"id": "a", "target": {target}{other}}}], "horizon": 1}}')
    error = refused(response)
    assert error["series"] == "a"
    assert error["place"] == ("target[1]" if field == "target" else f"{field}.x[1]")
    assert ("null" in (error["remedy"] or "")) == (field != "known")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"known": {}}, "known"),
        ({"known": {"price": [10.0] * 12}}, "known.price"),
        ({"known": {"price": [10.0] * 14}}, "known.price"),
        ({"known": {"price": [10.0] * 16}}, "known.price"),
        ({"known": {"price": []}}, "known.price"),
        ({"known": {"price": [10.0] * 15, "more": [1.0] * 15}}, "known"),
        ({"known": {"Price": [10.0] * 15}}, "known"),
        ({"past": {}}, "past"),
        ({"past": {"rain": [0.5] * 11}}, "past.rain"),
        ({"past": {"rain": [0.5] * 13}}, "past.rain"),
        ({"static": {}}, "static"),
        ({"static": {"shop": "north", "more": "x"}}, "static"),
    ],
)
def test_covariates_that_do_not_fit(rich: Client, change: dict[str, Any], place: str) -> None:
    one = series(
        start="2024-01-01",
        known={"price": [10.0] * 15},
        past={"rain": [0.5] * 12},
        static={"shop": "north"},
    )
    assert post(rich, request(one)).status_code == 200
    error = refused(post(rich, request(series("b") | {**one, "id": "b"} | change)))
    assert error["series"] == "b"
    assert (error["place"] or "").startswith(place)


@pytest.mark.parametrize("start", ["2024-01-01", "0", "", 2**60])
def test_a_start_that_is_no_step(steps: Client, start: str | int) -> None:
    assert refused(post(steps, request(series(start=start))))["series"] == "a"


def test_a_frequency_for_a_model_that_counts_steps(steps: Client) -> None:
    error = refused(post(steps, request(series(freq="h"))))
    assert "'h'" in (error["message"] or "")
    assert "'step'" in (error["message"] or "")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/forecast", {}, 405),
        ("PUT", "/forecast", JSON, 405),
        ("DELETE", "/forecast", {}, 405),
        ("POST", "/", JSON, 405),
        ("POST", "/openapi.json", JSON, 405),
        ("GET", "/forecast/", {}, 404),
        ("POST", "/v1/forecast", JSON, 404),
        ("GET", "/docs.json", {}, 404),
        ("GET", "/static_content/../../../etc/passwd", {}, 404),
        ("GET", "/%00", {}, 404),
        ("POST", "/forecast", {}, 415),
        ("POST", "/forecast", {"Content-Type": "text/csv"}, 415),
        ("POST", "/forecast", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("POST", "/forecast", {"Content-Type": "application/vnd.bentoml+pickle"}, 415),
        ("POST", "/forecast", JSON | {"Content-Encoding": "gzip"}, 415),
        ("POST", "/forecast", JSON | {"Content-Encoding": "zstd"}, 415),
        ("POST", "/forecast", JSON | {"Content-Length": "99999999999"}, 413),
        ("POST", "/forecast", JSON | {"Content-Length": "-1"}, 413),
    ],
)
def test_what_http_refuses(hourly: Client, method: str, path: str, headers: dict[str, str], status: int) -> None:
    response = hourly(method, path, json.dumps(request()), headers)
    assert response.status_code == status
    refused(response)
    if status == 405:
        assert response.headers["allow"]


def mutate(body: bytes, random_: random.Random) -> bytes:
    """A body with a few bytes changed, removed, doubled or replaced by what JSON is made of."""
    parts = bytearray(body)
    for _ in range(random_.randint(1, 4)):
        at = random_.randrange(len(parts))
        match random_.randrange(4):
            case 0:
                parts[at] = random_.randrange(256)
            case 1:
                del parts[at : at + random_.randint(1, 8)]
            case 2:
                parts[at:at] = parts[at : at + random_.randint(1, 20)]
            case 3:
                parts[at:at] = random_.choice([b"null", b"NaN", b"-", b"1e999", b"[", b"}", b'"', b",", b"\\u0000"])
    return bytes(parts)


def test_six_hundred_mutations(hourly: Client) -> None:
    """A mutated request is either still good, or refused in the one shape; never a 5xx."""
    random_ = random.Random(7)
    body = json.dumps(request(GOOD, series("b", start="2024-01-01T05:00:00+01:00"), quantiles=[0.1, 0.9]))
    statuses = []
    for _ in range(600):
        response = post(hourly, mutate(body.encode(), random_))
        statuses.append(response.status_code)
        if response.status_code != 200:
            refused(response)
        else:
            json.loads(response.content, parse_constant=pytest.fail)
    assert statuses.count(400) > 100
    assert statuses.count(422) > 50


tree = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["series", "id", "target", "horizon", "start", "freq", "known", "quantiles"])
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(body=tree)
def test_any_json(hourly: Client, body: Any) -> None:
    refused(post(hourly, json.dumps(body)))


@given(field=st.sampled_from(["id", "start", "freq", "target", "known", "past", "static"]), value=tree)
def test_any_field(hourly: Client, field: str, value: Any) -> None:
    response = post(hourly, json.dumps(request(GOOD | {field: value})))
    if response.status_code != 200:
        refused(response)


def test_an_error_of_the_service_tells_no_more_than_its_number(live: Live, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*_: object) -> bytes:
        raise RuntimeError("secret")

    client = live(NAIVE, STEPS)
    client.app.state.answer = fail
    response = post(client, request())
    assert response.status_code == 500
    assert "secret" not in response.text
    message = ErrorResponse.model_validate_json(response.content).error.message
    assert message.split()[-1] in caplog.text
    assert "secret" in caplog.text
