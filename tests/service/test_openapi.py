"""The documents: complete, true, and with examples that run as they stand."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from forecaster.manifest import DataSpec
from forecaster.spec import CoreSpec, HeadSpec, RecurrentSpec
from service.routes import METHODS
from service.schema import Card, ForecastRequest, ForecastResponse
from tests.service.conftest import Live
from tests.service.examples import HOURLY, LSTM, NAIVE, RICH, STEPS, Client

COUNTS = RecurrentSpec(core=CoreSpec(cell="gru", width=8, layers=1), head=HeadSpec(family="negative_binomial"))


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
