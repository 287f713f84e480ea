"""The documents of the service: OpenAPI, with examples that run as they stand, and the card of the model."""

import math
from typing import Any

import orjson
from pydantic.json_schema import models_json_schema

from forecaster.artifact import Artifact
from pipelines.forecasting.readable import admissible
from service.answers import model_version
from service.errors import ErrorResponse
from service.forecast import answer
from service.schema import (
    MAX_BYTES,
    Card,
    ForecastRequest,
    ForecastResponse,
    ForgetRequest,
    ForgetResponse,
    StreamRequest,
)
from service.source import Champion
from service.times import first_step

REFUSALS = {
    400: "Not JSON.",
    408: "The body did not arrive in time.",
    413: f"The body is larger than {MAX_BYTES} bytes.",
    415: "The body is not application/json, or it is compressed.",
    422: "Not a request that this model can answer; the error names the series, the place and the remedy.",
    500: "An error of the service.",
    503: "Too many requests are waiting, or too large ones, or a database does not answer; see Retry-After.",
}
NOT_HERE = {404: "No series are remembered: the operator has not said in which database."}
LINKS = {
    "forecast": "/forecast",
    "stream": "/stream",
    "forget": "/forget",
    "openapi": "/openapi.json",
    "docs": "/docs",
    "live": "/livez",
    "ready": "/readyz",
    "metrics": "/metrics",
}


def describe(champion: Champion) -> bytes:
    """The card of the model, as JSON."""
    spec = champion.artifact.spec
    card = Card(
        model=model_version(champion),
        freq=spec.data.frequency,
        zone=spec.data.zone,
        horizon=spec.task.horizon,
        known=[covariate.name for covariate in spec.data.known],
        past=[covariate.name for covariate in spec.data.past],
        static=[category.name for category in spec.data.static],
        labels=list(spec.data.labels),
        whole=spec.data.whole.name if spec.data.whole is not None else None,
        links=LINKS,
    )
    return card.model_dump_json().encode()


def example(artifact: Artifact) -> dict[str, Any]:
    """A request that the model can answer: three steps ahead of twelve values with one gap."""
    data = artifact.spec.data
    length, horizon = 12, 3 if data.whole is None else 1
    start = first_step(data.frequency, 2024)
    wave = [round(100 + 20 * math.sin(step * math.pi / 6), 1) for step in range(length)]
    target: list[object] = [*admissible(wave, artifact.model, data)]
    if data.steps:
        going = [label for label in data.steps if label != data.end] or list(data.steps)
        target = [going[step % len(going)] for step in range(length)]
    series: dict[str, Any] = {
        "id": "a",
        "start": start,
        "freq": data.frequency,
        "target": [*target[:-2], None, target[-1]],
    }
    if data.known:
        series["known"] = {
            covariate.name: [covariate.mean] * (length + (horizon if data.whole is None else 0))
            for covariate in data.known
        }
    if data.past:
        series["past"] = {covariate.name: [covariate.mean] * length for covariate in data.past}
    if data.static:
        series["static"] = {category.name: next(iter(category.values), "") for category in data.static}
    return {"series": [series], "horizon": horizon, "quantiles": [0.1, 0.5, 0.9], "paths": 2, "seed": 1}


def document(champion: Champion) -> bytes:
    """The OpenAPI document, as JSON, with a request and what `champion` answers to it."""
    request = example(champion.artifact)
    response = orjson.loads(answer(champion, orjson.dumps(request)))
    models = (
        *(ForecastRequest, ForecastResponse, StreamRequest, ForgetRequest, ForgetResponse),
        *(ErrorResponse, Card),
    )
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )

    def body(model: type, shown: object | None = None) -> dict[str, Any]:
        content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
        return {"application/json": content | ({} if shown is None else {"example": shown})}

    def text(description: str) -> dict[str, Any]:
        return {"200": {"description": description, "content": {"text/plain": {"schema": {"type": "string"}}}}}

    def post(
        name: str, summary: str, asks: dict[str, Any], tells: str, answers: dict[str, Any], refusals: dict[int, str]
    ) -> dict[str, Any]:
        errors = body(ErrorResponse)
        told = {"200": {"description": tells, "content": answers}}
        told |= {str(status): {"description": why, "content": errors} for status, why in refusals.items()}
        asked = {"required": True, "content": asks}
        return {"operationId": name, "summary": summary, "requestBody": asked, "responses": told}

    forecast = post(
        "forecast",
        "Forecast one series or thousands from their histories",
        body(ForecastRequest, request),
        "The forecasts.",
        body(ForecastResponse, response),
        REFUSALS,
    )
    stream = post(
        "stream",
        "Forecast series that are remembered: send the history once, then only what is new",
        body(StreamRequest, request),
        "The forecasts that the whole histories would get.",
        body(ForecastResponse, response),
        REFUSALS | NOT_HERE,
    )
    forget = post(
        "forget",
        "Forget series that are remembered",
        body(ForgetRequest, {"series": ["a"]}),
        "Those that were.",
        body(ForgetResponse, {"forgotten": ["a"]}),
        REFUSALS | NOT_HERE,
    )
    card = {"200": {"description": "The card.", "content": body(Card)}}
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "forecaster",
                "version": champion.version,
                "description": f"Forecasts by the model {champion.name!r}, version {champion.version}.",
            },
            "paths": {
                "/forecast": {"post": forecast},
                "/stream": {"post": stream},
                "/forget": {"post": forget},
                "/": {"get": {"operationId": "card", "summary": "Which model is live", "responses": card}},
                "/livez": {"get": {"operationId": "live", "responses": text("The process is alive.")}},
                "/readyz": {"get": {"operationId": "ready", "responses": text("Forecasts are served.")}},
                "/metrics": {"get": {"operationId": "metrics", "responses": text("Prometheus metrics.")}},
            },
            "components": {"schemas": schemas["$defs"]},
        }
    )
