"""The documents: complete, true, and with examples that run as they stand."""

import copy
import json
import operator
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forecaster.manifest import DataSpec
from forecaster.spec import CoreSpec, HeadSpec, RecurrentSpec
from service import schema
from service.openapi import REFUSALS
from service.routes import BODY_SECONDS, LINE, METHODS, ROOM
from service.schema import Card, ForecastRequest, ForecastResponse, ForgetResponse
from tests.service.conftest import Live
from tests.service.examples import HOURLY, LSTM, NAIVE, RICH, STEPS, Client

COUNTS = RecurrentSpec(core=CoreSpec(cell="gru", width=8, layers=1), head=HeadSpec(family="negative_binomial"))
PAGE = (Path(__file__).parents[2] / "docs" / "rest.md").read_text()


def openapi(client: Client) -> dict[str, Any]:
    response = client("GET", "/openapi.json")
    assert response.status_code == 200
    document: dict[str, Any] = response.json()
    return document


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (LSTM, HOURLY),
        (LSTM, STEPS),
        (NAIVE, STEPS),
        (COUNTS, STEPS),
        (LSTM, RICH),
        *((LSTM, DataSpec(frequency=name)) for name in ("MS", "ME", "W-SUN", "B", "QE-DEC", "10min")),
    ],
)
def test_the_example_runs_as_it_stands(live: Live, model: Any, data: DataSpec) -> None:
    client = live(model, data)
    post = openapi(client)["paths"]["/forecast"]["post"]
    example = post["requestBody"]["content"]["application/json"]["example"]
    ForecastRequest.model_validate_json(json.dumps(example))
    answer = client.forecast(example)
    ForecastResponse.model_validate_json(json.dumps(answer))
    assert answer == post["responses"]["200"]["content"]["application/json"]["example"]
    for path, shape, alike in (("/stream", ForecastResponse, same), ("/forget", ForgetResponse, operator.eq)):
        post = openapi(client)["paths"][path]["post"]
        asked, told = (one["content"]["application/json"] for one in (post["requestBody"], post["responses"]["200"]))
        response = client("POST", path, asked["example"])
        assert response.status_code == 200, response.text
        shape.model_validate_json(response.text)
        assert alike(response.json(), told["example"]) is not False


def same(one: Any, other: Any) -> None:
    """Equal, numbers to float32."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            same(value, other[key])
    elif one and isinstance(one, list) and isinstance(one[0], list | dict):
        for mine, theirs in zip(one, other, strict=True):
            same(mine, theirs)
    else:
        assert one == (pytest.approx(other, rel=1e-4) if isinstance(other, list) else other)


def references(node: Any) -> Iterator[str]:
    """Every $ref in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_leads_somewhere(rich: Client) -> None:
    document = openapi(rich)
    found = set(references(document))
    assert "#/components/schemas/ForecastRequest" in found
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_everything_that_is_served_is_described(hourly: Client) -> None:
    document = openapi(hourly)
    assert document["openapi"].startswith("3.1")
    served = {path for path in METHODS if not path.startswith("/static_content")}
    assert served - set(document["paths"]) == {"/docs", "/openapi.json", "/healthz"}


def test_the_schema_refuses_what_the_service_refuses(hourly: Client) -> None:
    schemas = openapi(hourly)["components"]["schemas"]
    for name in ("ForecastRequest", "Series", "ForecastResponse", "ErrorResponse", "Problem", "Card"):
        assert schemas[name]["additionalProperties"] is False


def test_the_card(hourly: Client, rich: Client) -> None:
    card = Card.model_validate_json(rich("GET", "/").content)
    assert (card.model.name, card.model.version) == ("shop", "7")
    assert (card.known, card.past, card.static) == (["price"], ["rain"], ["shop"])
    assert Card.model_validate_json(hourly("GET", "/").content).zone == "Europe/Berlin"
    for path in card.links.values():
        assert path in METHODS


def test_the_page_needs_no_other_server(hourly: Client) -> None:
    page = hourly("GET", "/docs").text
    assert "http" not in page.replace("<!doctype html>", "")
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert f"static_content/{asset}" in page
        assert f"/static_content/{asset}" in METHODS


def test_the_request_in_the_docs_gets_the_answer_that_is_shown(rich: Client) -> None:
    asked = re.search(r"-d '(.*?)'", PAGE, flags=re.DOTALL)
    shown = re.search(r"```json\n(.*?)```", PAGE, flags=re.DOTALL)
    assert asked is not None
    assert shown is not None
    answer, told = rich.forecast(asked[1]), json.loads(shown[1])
    got, expected = answer["forecasts"][0], told["forecasts"][0]
    assert told.keys() == answer.keys()
    assert {name: got[name] for name in ("id", "start", "freq")} == {
        name: expected[name] for name in ("id", "start", "freq")
    }
    assert {level: len(values) for level, values in got["quantiles"].items()} == {
        level: len(values) for level, values in expected["quantiles"].items()
    }


def test_the_stream_on_the_page_goes_on(hourly: Client) -> None:
    section = PAGE.partition("## Series that go on")[2].partition("\n## ")[0]
    history, new = (json.loads(body) for body in re.findall(r"/stream .*?-d '(.*?)'", section, flags=re.DOTALL))
    told = [hourly("POST", "/stream", body) for body in (history, new, new)]
    assert [one.status_code for one in told] == [200, 200, 200]
    whole = copy.deepcopy(history)
    whole["series"][0]["target"] += new["series"][0]["target"]
    assert told[1].json() == told[2].json()
    same(told[2].json(), hourly.forecast(whole))


def test_the_limits_in_the_docs_are_those_of_the_service() -> None:
    limits = dict(re.findall(r"^\| (.*?) \| (.*?) \| \d.* \|$", PAGE, flags=re.MULTILINE))
    for what, limit in {
        "body": f"{schema.MAX_BYTES // 2**20} MiB",
        "time in which the body arrives": f"{BODY_SECONDS:g} s",
        "series": f"1 to {schema.MAX_SERIES:,}",
        "series in a request to `/stream`, and steps of all of them together, left out ones too": (
            f"1 to {schema.MAX_STREAMS:,}, up to {schema.MAX_STEPS:,}"
        ),
        "`horizon`": f"1 to {schema.MAX_HORIZON:,} steps",
        "`target`": f"{schema.MAX_VALUE:g}".replace("+", ""),
        "`quantiles`": f"1 to {schema.MAX_QUANTILES} levels",
        "`paths`": f"0 to {schema.MAX_PATHS:,}",
        "numbers in an answer: series x horizon x (quantiles or labels + 1 + paths)": f"{schema.MAX_NUMBERS:,}",
        "requests at work and in line, of each worker (`forecaster serve --workers`)": f"{LINE}",
        "bodies of these and of those that are arriving, together": f"{ROOM // 2**20} MiB",
    }.items():
        assert limit in limits[what]


def test_the_errors_in_the_docs_are_those_of_the_service() -> None:
    assert {int(status) for status in re.findall(r"^\| (\d{3}) \|", PAGE, flags=re.MULTILINE)} == {404, 405, *REFUSALS}
