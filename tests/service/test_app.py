"""How the BentoML service is set up."""

from typing import Any

import bentoml
from bentoml._internal.server.http.traffic import TimeoutMiddleware

from service.app import ENVIRONMENT, Forecaster
from service.guard import Doors


def layers(app: Any) -> list[object]:
    """The middleware of an application, outermost first."""
    return [layer.cls for layer in app.user_middleware]


def test_the_doors_stand_outside_and_no_request_leaves_a_timer() -> None:
    theirs = layers(bentoml.Service.to_asgi(Forecaster))
    assert TimeoutMiddleware in theirs  # or else `Server` takes out nothing
    theirs.remove(TimeoutMiddleware)
    assert layers(Forecaster.to_asgi()) == [Doors, *theirs]  # type: ignore[attr-defined]  # a bentoml.Service


def test_what_cannot_be_configured_off_is_off_in_the_environment() -> None:
    assert "OpenTelemetryMiddleware" in str(layers(Forecaster.to_asgi()))  # type: ignore[attr-defined]
    assert ENVIRONMENT["OTEL_SDK_DISABLED"] == "true"
    set_up = {variable.name: variable.value for variable in Forecaster.envs}  # type: ignore[attr-defined]
    assert set_up == ENVIRONMENT
