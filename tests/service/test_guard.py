"""Bounds: the size and the time of a body, the length of the line, the paths that are let in."""

import asyncio
import json
import threading
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from service.errors import RequestError
from service.guard import Doors, Queue, Room, read_json
from tests.service.conftest import Live
from tests.service.examples import NAIVE, STEPS
from tests.service.examples import request as body_of


def read(chunks: list[bytes], headers: dict[str, str], *, pause: float = 0, **limits: Any) -> bytes:
    """What `read_json` makes of a body that comes in chunks, whose room is empty after it; raises what it raises."""
    room = Room(1000)
    taken = iter(chunks)

    async def receive() -> Message:
        await asyncio.sleep(pause)
        chunk = next(taken, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "method": "POST", "path": "/", "headers": raw}, receive)
    try:
        with room.held() as take:
            return asyncio.run(read_json(request, take, **({"max_bytes": 100, "seconds": 5.0} | limits)))
    finally:
        assert room.taken == 0


JSON = {"Content-Type": "application/json; charset=utf-8"}


def test_a_body_arrives_whole() -> None:
    assert read([b"12", b"", b"345"], JSON) == b"12345"
    assert read([b"x" * 100], JSON | {"Content-Length": "100"}) == b"x" * 100


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "101"}, {"Content-Length": "many"}])
def test_a_large_body_is_refused_with_or_without_its_length(headers: dict[str, str]) -> None:
    with pytest.raises(RequestError) as caught:
        read([b"x" * 60] * 2, JSON | headers)
    assert caught.value.status == 413


def test_no_more_is_read_than_the_limit() -> None:
    taken = []

    def endless() -> Any:
        while True:
            taken.append(1)
            yield b"x" * 40

    with pytest.raises(RequestError):
        read(endless(), JSON)
    assert len(taken) == 3


def test_a_slow_body_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        read([b"1"] * 50, JSON, pause=0.01, seconds=0.1)
    assert caught.value.status == 408


def test_bodies_that_are_too_large_together_are_refused_until_one_is_gone() -> None:
    room = Room(100)
    with room.held() as take:
        take(50)
        with room.held() as other:
            other(50)
            with pytest.raises(RequestError) as caught:
                other(1)
        take(50)
    assert room.taken == 0
    assert caught.value.status == 503
    assert caught.value.response().headers["Retry-After"] == "1"


def test_a_body_keeps_its_room_until_it_is_answered(live: Live) -> None:
    client, body = live(NAIVE, STEPS), json.dumps(body_of())
    answer, room, taken = client.app.state.answer, client.app.state.room, []

    def watched(*given: Any) -> Any:
        taken.append(room.taken)
        return answer(*given)

    client.app.state.answer = watched
    assert client("POST", "/forecast", body).status_code == 200
    assert client("POST", "/forecast", "{" * len(body)).status_code == 400
    assert taken == [len(body)] * 2
    room.size = len(body) - 1
    assert client("POST", "/forecast", body).status_code == 503
    assert len(taken) == 2
    assert room.taken == 0


def test_a_full_line_refuses_and_then_serves_again() -> None:
    async def scenario() -> list[int]:
        queue, gate = Queue(threads=1, length=3), threading.Event()
        waiting = [asyncio.ensure_future(queue.run(gate.wait, 10)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(RequestError) as caught:
            await queue.run(int)
        assert caught.value.response().headers["Retry-After"] == "1"
        gate.set()
        await asyncio.gather(*waiting)
        assert await queue.run(lambda: 7) == 7
        queue.pool.shutdown()
        return [caught.value.status, queue.inside]

    assert asyncio.run(scenario()) == [503, 0]


def test_the_loop_goes_on_while_a_thread_works() -> None:
    async def scenario() -> None:
        queue, gate = Queue(threads=1, length=3), threading.Event()
        work = asyncio.ensure_future(queue.run(gate.wait, 10))
        for _ in range(5):
            await asyncio.sleep(0.001)
        assert not work.done()
        gate.set()
        assert await work
        queue.pool.shutdown()

    asyncio.run(scenario())


def knock(scope: dict[str, Any]) -> tuple[list[str], list[Message]]:
    """The paths that come through the doors, and what is sent back."""
    inside: list[str] = []
    sent: list[Message] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        inside.append(scope.get("path", scope["type"]))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Doors(app, methods={"/a": ("POST",)})(scope, receive, send))
    return inside, sent


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/b", "POST", 404), ("/a/", "POST", 404), ("/a", "GET", 405), ("", "X", 404)],
)
def test_the_doors_let_only_known_paths_in(path: str, method: str, status: int) -> None:
    inside, sent = knock({"type": "http", "path": path, "method": method, "headers": []})
    assert inside == []
    assert sent[0]["status"] == status


def test_the_doors_open() -> None:
    assert knock({"type": "http", "path": "/a", "method": "POST"}) == (["/a"], [])
    assert knock({"type": "lifespan"}) == (["lifespan"], [])


def test_a_websocket_is_closed_at_the_doors() -> None:
    inside, sent = knock({"type": "websocket", "path": "/a"})
    assert inside == []
    assert [message["type"] for message in sent] == ["websocket.close"]
