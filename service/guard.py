"""Keeps the server small under any input: bounded bodies, one by one and together, bounded waiting, bounded metrics."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from service.errors import RequestError

P = ParamSpec("P")
R = TypeVar("R")


class Doors:
    """Middleware that lets only known paths in and answers all others itself.

    It stands outside of everything, because BentoML's metrics keep a label for each path that they ever see:
    without it a scanner that tries paths fills the memory.
    """

    def __init__(self, app: ASGIApp, *, methods: Mapping[str, tuple[str, ...]]) -> None:
        self.app = app
        self.methods = methods
        """By path."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 404 or 405; a WebSocket is closed before it opens, which is a 403."""
        if scope["type"] == "http":
            answer = self._refuse(scope["path"], scope["method"]) or self.app
            await answer(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)

    def _refuse(self, path: str, method: str) -> ASGIApp | None:
        allowed = self.methods.get(path)
        if allowed is None:
            return RequestError(404, f"nothing is at {path[:200]!r}", remedy="GET / lists what there is").response()
        if method not in allowed:
            listed = ", ".join(allowed)
            message, headers = f"{method[:20]} is not served here", {"Allow": listed}
            return RequestError(405, message, remedy=f"use {listed}", headers=headers).response()
        return None


class Room:
    """Memory for the bodies of all requests that are read, in line or at work."""

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0
        """Bytes."""

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """What takes so many more bytes for one request; they are given back with the end of the context.

        It raises RequestError (503) at once where there are no more.
        """
        own = 0

        def take(count: int) -> None:
            nonlocal own
            if self.taken + count > self.size:
                raise busy("the requests that are waiting are too large together")
            self.taken += count
            own += count

        try:
            yield take
        finally:
            self.taken -= own


def busy(message: str) -> RequestError:
    """503: what was asked may be asked again."""
    return RequestError(503, message, remedy="try again in a second", headers={"Retry-After": "1"})


async def read_json(request: Request, take: Callable[[int], None], *, max_bytes: int, seconds: float) -> bytes:
    """The body of a request that says it is JSON; `take` is told how many bytes come, before they are kept.

    Raises RequestError: 415 for another type or a compressed body, 413 above `max_bytes` (before more is
    read), 408 when it has not arrived within `seconds`, and what `take` raises.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(
            415,
            f"the body is {kind[:100] or 'of no type'}",
            place="Content-Type",
            remedy="send application/json",
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(415, "the body is compressed", place="Content-Encoding", remedy="send it as it is")
    too_large = RequestError(
        413,
        f"the body is larger than {max_bytes} bytes",
        place="body",
        remedy="send the series in several requests",
    )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > max_bytes:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                take(len(chunk))  # as it comes: what is only announced would keep others out for nothing
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
    except TimeoutError:
        raise RequestError(
            408,
            f"the body did not arrive within {seconds:g} s",
            place="body",
            remedy="send it faster or in smaller requests",
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise RequestError(400, "the connection closed before the body had arrived", place="body") from None
    return bytes(body)


class Queue:
    """A few threads for the heavy work and a bounded line before them."""

    def __init__(self, *, threads: int, length: int) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="forecast")
        self.length = length
        self.inside = 0
        """Requests at work and in line."""

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of `work`. Raises RequestError (503) at once if the line is full."""
        if self.inside >= self.length:
            raise busy("too many requests are waiting")
        self.inside += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, lambda: work(*args, **kwargs))
        finally:
            self.inside -= 1
