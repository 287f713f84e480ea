"""Another champion under load, on two workers: no request fails, and each answer is of the one version it names."""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from forecaster.artifact import digest, load_artifact
from forecaster.spec import ModelSpec
from pipelines.registry.note import Note, refusal
from service.forecast import answer
from service.live import Watch
from service.routes import application, go_live
from service.source import VARIABLE, Champion
from tests.pipelines.conftest import flip
from tests.service.examples import HOURLY, LSTM, NAIVE, artifact, request
from tests.service.server import Server, serving

ROOT = Path(__file__).parents[2]
SWAPS = 10


class Load:
    """Clients that post without a pause, each on its own connection, and keep what they are told."""

    def __init__(self, url: httpx.URL, clients: int = 4) -> None:
        self.url, self.over = url, threading.Event()
        self.answers: list[httpx.Response | Exception] = []
        self.threads = [threading.Thread(target=self._post) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _post(self) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not self.over.is_set():
                try:
                    self.answers.append(client.post("/forecast", json=request()))
                except httpx.HTTPError as error:
                    self.answers.append(error)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the note and the artifacts lie."""
    return tmp_path_factory.mktemp("champion")


@pytest.fixture(scope="module")
def notes(folder: Path) -> dict[str, Note]:
    """Two versions that forecast differently, and one with a flipped bit."""
    made = {}
    models: dict[str, ModelSpec] = {"1": LSTM, "2": NAIVE, "broken": LSTM}
    for version, model in models.items():
        built = artifact(folder / version, model, HOURLY)
        made[version] = Note(name="shop", version=version, digest=digest(built) if version != "broken" else "0" * 64)
        built.rename(made[version].artifact(folder / "shop.json"))
    flip(folder / ("0" * 64) / "weights.safetensors", -1)
    return made


@pytest.fixture(scope="module")
def file(folder: Path, notes: dict[str, Note]) -> Path:
    """The note of the champion, version 1 at first."""
    notes["1"].write(folder / "shop.json")
    return folder / "shop.json"


@pytest.fixture(scope="module")
def server(file: Path) -> Iterator[Server]:
    """Two workers of the service that watch the note."""
    command = [sys.executable, "-m", "service", str(file), "--workers", "2"]
    with serving(command, ROOT, {}, file.with_name("log")) as running:
        yield running


def until(server: Server, true: Callable[[str], bool], seconds: float = 20) -> None:
    """Wait for what the metrics of the service say."""
    over = threading.Event()
    for _ in range(int(seconds / 0.2)):
        if true(server.client.get("/metrics").text):
            return
        over.wait(0.2)
    raise AssertionError(server.client.get("/metrics").text)


def serves(version: str) -> Callable[[str], bool]:
    """Both workers serve it."""
    return lambda metrics: f'forecaster_workers{{version="{version}"}} 2.0' in metrics


def test_a_champion_that_is_promoted_while_a_worker_starts_is_served(
    folder: Path, notes: dict[str, Note], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, file = application(), folder / "starting.json"
    monkeypatch.setenv(VARIABLE, str(file))
    notes["1"].write(file)
    go_live(app)
    notes["2"].write(file)
    Watch(app, file).look()
    assert app.state.live.champion.version == "2"
    app.state.queue.pool.shutdown()


def test_swaps_under_load_lose_no_request_and_mix_no_versions(
    server: Server, file: Path, notes: dict[str, Note]
) -> None:
    expected: dict[str, Any] = {}
    for version in ("1", "2"):
        champion = Champion("shop", version, load_artifact(notes[version].artifact(file)))
        expected[version] = json.loads(answer(champion, json.dumps(request()).encode()))
    until(server, serves("1"))
    with Load(server.client.base_url) as load:
        for swap in range(SWAPS):
            version = "21"[swap % 2]
            notes[version].write(file)
            until(server, serves(version))
    assert len(load.answers) > 100
    failed = [one for one in load.answers if not isinstance(one, httpx.Response) or one.status_code != 200]
    assert failed == []
    told = [one.json() for one in load.answers if isinstance(one, httpx.Response)]
    assert {one["model"]["version"] for one in told} == {"1", "2"}
    assert all(one == expected[one["model"]["version"]] for one in told)


def test_a_broken_version_is_refused_and_the_one_before_stays(
    server: Server, file: Path, notes: dict[str, Note]
) -> None:
    notes["1"].write(file)
    until(server, serves("1"))
    with Load(server.client.base_url) as load:
        notes["broken"].write(file)
        until(server, lambda metrics: "forecaster_champion_refused 1.0" in metrics)
        notes["2"].write(file)
        until(server, serves("2"))
    assert {one.status_code for one in load.answers if isinstance(one, httpx.Response)} == {200}
    assert not [one for one in load.answers if isinstance(one, Exception)]
    until(server, lambda metrics: "forecaster_champion_refused 0.0" in metrics)
    assert server.client.get("/").json()["model"]["version"] == "2"
    assert server.client.get("/openapi.json").json()["info"]["version"] == "2"


def test_what_is_refused_before_it_is_noted_is_seen_too(server: Server, file: Path) -> None:
    refusal(file).write_text("the champion is refused: of no digest")
    until(server, lambda metrics: "forecaster_champion_refused 1.0" in metrics)
    refusal(file).unlink()
    until(server, lambda metrics: "forecaster_champion_refused 0.0" in metrics)


def test_a_note_that_is_gone_is_told_until_it_is_back(server: Server, file: Path, notes: dict[str, Note]) -> None:
    served = server.client.get("/").json()["model"]["version"]
    file.unlink()
    until(server, lambda metrics: "forecaster_champion_refused 1.0" in metrics)
    assert server.client.get("/").json()["model"]["version"] == served
    other = "1" if served == "2" else "2"
    notes[other].write(file)
    until(server, serves(other))
    until(server, lambda metrics: "forecaster_champion_refused 0.0" in metrics)
    log = file.with_name("log").read_text()
    assert 1 <= log.count("the note of the champion cannot be read") <= 2  # once by each worker that looked
    assert "Traceback" not in log
