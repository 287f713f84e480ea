"""`forecaster serve` as a person runs it: it follows the champion under load, and restarts while MLflow is silent."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from pipelines.data.panel import Panel
from pipelines.pyfunc import log_model
from pipelines.registry.fetch import resolve
from pipelines.registry.promotion import promote, rollback
from pipelines.registry.versions import register
from pipelines.tracking.run import Run
from tests.pipelines.conftest import flip
from tests.pipelines.processes import free_port
from tests.service import server

ROOT = Path(__file__).parents[3]
Make = Callable[[int], tuple[Path, str]]
BODY = {"series": [{"id": "a", "freq": "h", "target": [1.0, 2.0, 3.0]}], "horizon": 2}


@pytest.fixture
def add(home: Path, panel: Panel, artifact: Make) -> Callable[[int], str]:
    """Registers a model that has learned nothing; returns its version."""

    def one(seed: int) -> str:
        folder, seal = artifact(seed)
        with Run.start("m", "train") as run:
            uri = log_model(run, folder, panel)
        return register("m", uri, run_id=run.id, digest=seal, metrics={})

    return one


@contextmanager
def serving(home: Path, uri: str) -> Iterator[tuple[httpx.Client, float]]:
    """The service of the champion of m, and the seconds until it was ready."""
    port, began = free_port(), time.monotonic()
    command = [sys.executable, "-m", "pipelines", "serve", "--name", "m", "--port", str(port), "--workers", "2"]
    environment = {"MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            wait(lambda: ready(client), 60, home)
            yield client, time.monotonic() - began
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def wait(true: Callable[[], bool], seconds: float, home: Path) -> float:
    """Seconds until it is true."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, (home / "log").read_text()
        time.sleep(0.05)
    return time.monotonic() - began


def served(client: httpx.Client, count: int = 8) -> set[str]:
    """The versions that answer; every request has an answer."""
    answers = [client.post("/forecast", json=BODY) for _ in range(count)]
    assert {answer.status_code for answer in answers} == {200}
    return {answer.json()["model"]["version"] for answer in answers}


def both(client: httpx.Client, version: str) -> bool:
    served(client)
    return f'forecaster_workers{{version="{version}"}} 2.0' in client.get("/metrics").text


def test_the_service_follows_promotion_and_rollback_refuses_a_broken_champion_and_mends_its_copy(
    home: Path, add: Callable[[int], str]
) -> None:
    for seed in (0, 1):
        add(seed)
    promote("m", "1")
    with serving(home, "") as (client, _):
        assert served(client) == {"1"}
        promote("m", "2")
        assert wait(lambda: both(client, "2"), 20, home) < 10
        rollback("m")
        assert wait(lambda: both(client, "1"), 20, home) < 10
        before = set((home / "mlruns/artifacts/models").iterdir())
        add(2)
        (new,) = set((home / "mlruns/artifacts/models").iterdir()) - before
        flip(new / "artifacts/artifacts/artifact/weights.safetensors", -1)
        promote("m", "3")
        wait(lambda: "forecaster_champion_refused 1.0" in client.get("/metrics").text, 20, home)
        assert served(client) == {"1"}
        assert "is refused" in (home / "log").read_text()
        promote("m", "2")
        assert wait(lambda: both(client, "2"), 20, home) < 10
        wait(lambda: "forecaster_champion_refused 0.0" in client.get("/metrics").text, 20, home)  # at the next look
        shutil.rmtree(home / "mlruns/cache")
        wait((home / "mlruns/cache/m.json").exists, 20, home)
        promote("m", "1")
        assert wait(lambda: both(client, "1"), 20, home) < 10
        wait(lambda: "forecaster_champion_refused 0.0" in client.get("/metrics").text, 20, home)


@pytest.mark.parametrize("frozen", [False, True], ids=["dead", "frozen"])
def test_the_service_restarts_from_its_copy_while_mlflow_is_silent(
    home: Path, add: Callable[[int], str], frozen: bool
) -> None:
    promote("m", add(0))
    assert resolve("m").version == "1"
    shutil.move(home / "mlruns" / "artifacts", home / "gone")
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        if frozen:
            silent.listen()  # takes every connection and never says a word
        with serving(home, f"http://127.0.0.1:{silent.getsockname()[1]}") as (client, seconds):
            assert served(client) == {"1"}
            wait(lambda: "the champion stays as it is" in (home / "log").read_text(), 20, home)
            assert served(client) == {"1"}
            print(f"ready after {seconds:.1f} s")
    log = (home / "log").read_text()
    assert "version 1 of m was fetched before and is used" in log
    assert "Traceback" not in log


def test_the_service_ends_with_a_command_that_is_killed(home: Path, add: Callable[[int], str]) -> None:
    promote("m", add(0))
    command = [sys.executable, "-m", "pipelines", "serve", "--name", "m"]
    with server.serving(command, home, {"PYTHONPATH": str(ROOT)}, home / "log") as running:
        running.process.kill()
        assert running.closed(20)
