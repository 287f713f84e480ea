"""The BentoML service: how its server is set up around our routes."""

import gc
import os
from collections.abc import Callable
from typing import Any

import bentoml
from bentoml._internal.server.http.traffic import TimeoutMiddleware
from starlette.applications import Starlette

from service.guard import Doors
from service.live import watch
from service.orphan import end_with
from service.routes import METHODS, application, go_down, go_live
from service.source import SERVER, WORKERS, live_note

ENVIRONMENT = {
    "BENTOML_DO_NOT_TRACK": "true",
    "OMP_NUM_THREADS": "1",  # requests run side by side, each on one thread
    "OTEL_SDK_DISABLED": "true",  # it took a third of the time of a small request
    "UV_INDEX_STRATEGY": "unsafe-best-match",  # when a Bento becomes an image: torch comes from its own index
}
web = application()


class Server(bentoml.Service):  # type: ignore[misc]  # BentoML ships no types for it
    """A service whose server answers unknown paths itself and has no timer for each request.

    BentoML's timeout middleware never cancels its timers, and each keeps its request in memory until it
    fires. `read_json` bounds the time in which a body arrives, `Queue` how many wait; a request at work is
    bounded by the size of what it asks for alone.
    """

    def to_asgi(self, is_main: bool = True) -> Callable[..., Any]:
        """The application of one worker."""
        app = super().to_asgi(is_main)
        assert isinstance(app, Starlette)
        timeout: object = TimeoutMiddleware
        app.user_middleware = [layer for layer in app.user_middleware if layer.cls is not timeout]
        app.add_middleware(Doors, methods=METHODS)
        return app


@bentoml.service(
    name="forecaster",
    service_class=Server,
    workers=int(os.environ.get(WORKERS, "1")),
    logging={"access": {"enabled": False}},
    envs=[{"name": name, "value": value} for name, value in ENVIRONMENT.items()],
)
@bentoml.asgi_app(web)
class Forecaster:
    """Forecasts of the champion over HTTP."""

    def __init__(self) -> None:
        end_with(int(os.environ.get(SERVER, os.getppid())))
        go_live(web)
        watch(web, live_note())
        # What is there by now stays: out of sight of the garbage collector, whose pauses were 200 to 470 ms.
        gc.collect()
        gc.freeze()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """After the last answer."""
        go_down(web)
