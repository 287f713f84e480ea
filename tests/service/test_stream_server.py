"""Streams over HTTP: real workers, which share what they are told, are killed, and go on."""

import os
import re
import signal
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.errors import ErrorResponse
from tests.service.examples import LSTM, STEPS, artifact, request
from tests.service.server import Server, serving

ROOT = Path(__file__).parents[2]
VALUES = [10.0 + step % 7 for step in range(120)]


def command(model: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "service", str(model), "--name", "shop", "--version", "7", *more]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return artifact(tmp_path_factory.mktemp("model") / "artifact", LSTM, STEPS)


def told(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    (one,) = response.json()["forecasts"]
    return dict(one)


def piece(begin: int, end: int) -> dict[str, Any]:
    return request({"id": "a", "start": begin, "target": VALUES[begin:end]}, horizon=4)


def steps_read(server: Server) -> float:
    counted = re.search(r"^forecaster_stream_steps_total (\S+)", server.client.get("/metrics").text, re.MULTILINE)
    assert counted is not None
    return float(counted[1])


def test_two_servers_share_a_stream_and_it_outlives_them(model: Path, tmp_path: Path) -> None:
    """Each reads what the other was told; a new one, after `kill -9`, goes on from the file."""
    environment = {"FORECASTER_STREAMS": "sqlite:///streams.db", "PYTHONPATH": str(ROOT)}
    with (
        serving(command(model), tmp_path, environment, tmp_path / "one") as one,
        serving(command(model), tmp_path, environment, tmp_path / "other") as other,
    ):
        told(one.client.post("/stream", json=piece(0, 80)))
        for begin, server in zip(range(80, 100), cycle([one, other]), strict=False):
            last = told(server.client.post("/stream", json=piece(begin, begin + 1)))
            whole = told(one.client.post("/forecast", json=piece(0, begin + 1)))
            assert last["start"] == whole["start"] == begin + 1
            assert last["mean"] == pytest.approx(whole["mean"], rel=1e-5)
        assert (steps_read(one), steps_read(other)) == (99, 100)  # the history once, and then what was new
        for server in (one, other):
            os.killpg(server.process.pid, signal.SIGKILL)
    assert (tmp_path / "streams.db").exists()
    with serving(command(model, "--workers", "2"), tmp_path, environment, tmp_path / "log") as server:
        *_, latest = [told(server.client.post("/stream", json=piece(step, step + 1))) for step in range(100, 110)]
        whole = told(server.client.post("/forecast", json=piece(0, 110)))
        assert latest["mean"] == pytest.approx(whole["mean"], rel=1e-5)
        forgotten = server.client.post("/forget", json={"series": ["a", "b"]})
        assert forgotten.json() == {"forgotten": ["a"]}
        refused = server.client.post("/stream", json=request({"id": "a"}))
        assert refused.status_code == 422
        assert ErrorResponse.model_validate_json(refused.content).error.message == "nothing is known of it"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0


def test_without_a_database_it_says_what_to_do(model: Path, tmp_path: Path) -> None:
    with serving(command(model), ROOT, {}, tmp_path / "log") as server:
        for path, body in (("/stream", piece(0, 9)), ("/forget", {"series": ["a"]})):
            answer = server.client.post(path, json=body)
            assert answer.status_code == 404
            problem = ErrorResponse.model_validate_json(answer.content).error
            assert "FORECASTER_STREAMS" in str(problem.remedy)


def test_a_database_that_is_away_is_told_and_come_back_to(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of the service goes on meanwhile."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"FORECASTER_STREAMS": f"sqlite:///{home}/streams.db"}
    with serving(command(model), ROOT, environment, tmp_path / "log") as server:
        home.rename(tmp_path / "away")
        answer = server.client.post("/stream", json=piece(0, 9))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        told(server.client.post("/forecast", json=piece(0, 9)))
        (tmp_path / "away").rename(home)
        told(server.client.post("/stream", json=piece(0, 9)))
    assert "the database of streams" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all/streams.db", "postgresql+psycopg://me:secret@127.0.0.1:1/streams"]
)
def test_a_database_that_is_away_at_first_keeps_no_forecast_back(url: str, model: Path, tmp_path: Path) -> None:
    with serving(command(model), ROOT, {"FORECASTER_STREAMS": url}, tmp_path / "log") as server:
        told(server.client.post("/forecast", json=piece(0, 9)))
        assert server.client.post("/stream", json=piece(0, 9)).status_code == 503
    log = (tmp_path / "log").read_text()
    assert "does not answer" in log
    assert "secret" not in log


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("streams.db", "FORECASTER_STREAMS is no URL"),
        ("sqlite://", "FORECASTER_STREAMS names neither a file of SQLite nor a PostgreSQL"),
        ("mysql://me:secret@host/streams", "FORECASTER_STREAMS names neither a file of SQLite nor a PostgreSQL"),
    ],
)
def test_what_is_no_database_is_told_at_once(url: str, words: str, model: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError) as ended,
        serving(command(model), tmp_path, {"FORECASTER_STREAMS": url, "PYTHONPATH": str(ROOT)}, tmp_path / "log"),
    ):
        pass
    log = str(ended.value)
    assert words in log
    assert "secret" not in log
    assert "Traceback" not in log
