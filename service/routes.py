"""The routes and the threads behind them."""

import logging
import os
from collections.abc import Callable
from functools import cache, partial
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from forecaster.errors import DataError
from pipelines.faults import UnavailableError
from pipelines.registry.note import Note
from pipelines.streams.store import VARIABLE, Streams, database
from service.errors import RequestError
from service.guard import Queue, Room, busy, read_json
from service.keep import Keeper, keeping
from service.live import Live, load
from service.schema import MAX_BYTES
from service.source import live_note

BODY_SECONDS = 30.0
"""Time in which a request's body has to arrive."""
LINE = 256
"""Requests at work and in line, above which the answer is 503."""
ROOM = 8 * MAX_BYTES
"""Bytes of the bodies of these and of those that are arriving, above which the answer is 503 too."""

SWAGGER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Forecaster</title>
<link rel="stylesheet" href="static_content/swagger-ui.css"><div id="page"></div>
<script src="static_content/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#page"})</script></html>"""
"""The OpenAPI document to click through, with the copy of Swagger UI that BentoML serves."""

log = logging.getLogger("bentoml.forecaster")


async def forecast(request: Request) -> Response:
    """POST /forecast."""
    state = request.app.state
    return await _answered(request, state.queue, lambda body: state.answer(state.live.champion, body, state.keeper))


async def stream(request: Request) -> Response:
    """POST /stream."""
    state = request.app.state
    live: Live = state.live

    def work(body: bytes) -> bytes:
        return bytes(state.go_on(live.champion, live.recall, state.streams(), body, state.keeper))

    return await _answered(request, state.waiting, work)


async def forget(request: Request) -> Response:
    """POST /forget."""
    state = request.app.state
    return await _answered(
        request, state.waiting, lambda body: state.forget(state.live.champion, state.streams(), body)
    )


async def _answered(request: Request, queue: Queue, work: Callable[[bytes], bytes]) -> Response:
    """What the heavy work makes of the body of a request, or what is wrong."""
    state = request.app.state
    try:
        with state.room.held() as take:
            body = await read_json(request, take, max_bytes=MAX_BYTES, seconds=BODY_SECONDS)
            answer = await queue.run(work, body)
    except RequestError as refused:
        return refused.response()
    except DataError as error:
        return RequestError.of_data(error).response()
    except UnavailableError as error:
        log.error(error)
        return busy("what is known of series cannot be read or written now").response()
    except Exception:
        incident = uuid4().hex[:12]
        log.exception("incident %s", incident)
        message = f"an error of the service, incident {incident}"
        return RequestError(500, message, remedy="look the incident up in the log").response()
    return Response(answer, media_type="application/json")


async def card(request: Request) -> Response:
    """GET /: which model is live and where to go from here."""
    return Response(request.app.state.live.card, media_type="application/json")


async def openapi(request: Request) -> Response:
    """GET /openapi.json."""
    return Response(request.app.state.live.openapi, media_type="application/json")


async def docs(_: Request) -> Response:
    """GET /docs."""
    return HTMLResponse(SWAGGER)


READ = ("GET", "HEAD")
ROUTES = [
    Route("/", card, methods=READ),
    Route("/forecast", forecast, methods=["POST"]),
    Route("/stream", stream, methods=["POST"]),
    Route("/forget", forget, methods=["POST"]),
    Route("/openapi.json", openapi, methods=READ),
    Route("/docs", docs, methods=READ),
]
BENTOML = (
    *("/livez", "/readyz", "/healthz", "/metrics"),
    *("/static_content/swagger-ui.css", "/static_content/swagger-ui-bundle.js"),
)
"""What is of use among the routes that BentoML adds."""
METHODS = {route.path: tuple(sorted(route.methods or ())) for route in ROUTES} | dict.fromkeys(BENTOML, READ)
"""All that the server answers, by path."""


def application() -> Starlette:
    """Our routes; `go_live` gives them a model."""
    return Starlette(routes=ROUTES)


def go_live(app: Starlette) -> None:
    """Load the champion, and keep what it answers if that is wanted."""
    from service.forecast import answer  # not above: the supervisor of the workers needs no torch
    from service.stream import forget, go_on

    file = live_note()
    app.state.answer, app.state.go_on, app.state.forget = answer, go_on, forget
    app.state.live, app.state.streams = load(Note.read(file), file), cache(partial(_opened, database()))
    where = keeping()
    app.state.keeper = Keeper(where) if where else None
    threads = max(2, os.cpu_count() or 1)
    app.state.queue = Queue(threads=threads, length=LINE)
    app.state.waiting = Queue(threads=threads, length=LINE)  # for a database, which may hang
    app.state.room = Room(ROOM)


def _opened(url: str | None) -> Streams:
    """The series that live on, in a database. Raises RequestError where there is none."""
    if url is None:
        remedy = f"send whole histories to POST /forecast, or let the operator set {VARIABLE}"
        raise RequestError(404, "no series are remembered here", remedy=remedy)
    try:
        return Streams(url)
    except DataError as error:
        raise UnavailableError(error) from None


def go_down(app: Starlette) -> None:
    """Write what is kept and not yet written, and close the database."""
    if app.state.keeper:
        app.state.keeper.close()
    if app.state.streams.cache_info().currsize:
        app.state.streams().close()
