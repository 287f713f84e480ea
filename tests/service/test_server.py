"""Real processes: the server of an artifact folder, and a Bento far from this repository."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version as installed
from pathlib import Path

import httpx
import psutil
import pytest

from service.errors import ErrorResponse
from tests.service.examples import HOURLY, JSON, LSTM, UNTIL, artifact, request, series
from tests.service.server import Server, serving

ROOT = Path(__file__).parents[2]
LARGE = request(*(series(f"s{i}", length=200) for i in range(400)), horizon=200)
# Run before all else in every Python of the Bento: the repository and MLflow are out of reach.
FAR_AWAY = f"""
import sys
sys.path[:] = [path for path in sys.path if path != {str(ROOT)!r}]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.modules["mlflow"] = None
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for the artifact and the logs."""
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    """An artifact folder."""
    return artifact(folder / "artifact", LSTM, HOURLY)


@pytest.fixture(scope="module")
def server(folder: Path, model: Path) -> Iterator[Server]:
    """A server of the artifact, run as the command line runs it."""
    command = [sys.executable, "-m", "service", str(model), "--name", "shop", "--version", "7"]
    with serving(command, ROOT, {}, folder / "log") as running:
        yield running


def refused(response: httpx.Response, status: int) -> None:
    assert response.status_code == status
    ErrorResponse.model_validate_json(response.content)


def test_it_forecasts(server: Server) -> None:
    answer = server.client.post("/forecast", json=request(series(start="2024-01-01T00:00:00+01:00")))
    assert answer.status_code == 200
    assert answer.json()["model"]["version"] == "7"
    assert answer.json()["forecasts"][0]["start"] == "2024-01-01T12:00:00+01:00"


def test_the_example_runs_as_it_stands(server: Server) -> None:
    document = server.client.get("/openapi.json").json()
    body = document["paths"]["/forecast"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert server.client.post("/forecast", json=body).status_code == 200


def test_every_path_that_is_described_is_there(server: Server) -> None:
    for path, methods in server.client.get("/openapi.json").json()["paths"].items():
        if "get" in methods:
            assert server.client.get(path).status_code == 200
    for path in ("/docs", "/static_content/swagger-ui.css", "/static_content/swagger-ui-bundle.js"):
        assert server.client.get(path).status_code == 200


def test_unknown_paths_leave_the_metrics_alone(server: Server) -> None:
    server.client.get("/livez")
    before = server.client.get("/metrics").text
    for number in range(50):
        refused(server.client.get(f"/unknown/{number}"), 404)
    refused(server.client.put("/forecast"), 405)
    after = server.client.get("/metrics").text
    assert 'endpoint="/livez"' in after
    assert "unknown" not in after
    assert after.count("\n") == before.count("\n")


def test_bad_requests_are_counted(server: Server) -> None:
    refused(server.client.post("/forecast", content=b"{", headers=JSON), 400)
    counted = 'bentoml_service_request_total{endpoint="/forecast",http_response_code="400"'
    assert counted in server.client.get("/metrics").text


def test_a_large_body_is_refused_and_harms_nobody(server: Server) -> None:
    workers = server.workers()
    chunk = b" " * 2**20
    refused(server.client.post("/forecast", content=chunk * 100, headers=JSON), 413)
    refused(server.client.post("/forecast", content=(chunk for _ in range(100)), headers=JSON), 413)
    refused(server.client.post("/forecast", content="[" * 100_000, headers=JSON), 400)
    assert server.client.get("/livez").status_code == 200
    assert server.workers() == workers


def test_it_is_alive_while_it_works(server: Server) -> None:
    with httpx.Client(base_url=server.client.base_url, timeout=120) as other:
        answers: list[httpx.Response] = []
        work = threading.Thread(target=lambda: answers.append(other.post("/forecast", json=LARGE)))
        work.start()
        worst = 0.0
        while work.is_alive():
            began = time.monotonic()
            assert server.client.get("/livez").status_code == 200
            worst = max(worst, time.monotonic() - began)
        work.join()
    assert answers[0].status_code == 200
    assert worst < 2


def test_a_taken_port_is_told(server: Server, model: Path) -> None:
    command = [sys.executable, "-m", "service", str(model), "--port", str(server.client.base_url.port)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "choose another port or host" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_damaged_artifact_is_told(folder: Path, model: Path) -> None:
    damaged = artifact(folder / "damaged", LSTM, HOURLY)
    weights = damaged / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    command = [sys.executable, "-m", "service", str(damaged), "--port", "0"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "changed after it was written" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_sigterm_ends_all_of_it_after_the_last_answer(server: Server) -> None:
    """The last test of this server."""
    workers = server.workers()
    assert workers
    answers: list[httpx.Response] = []
    work = threading.Thread(target=lambda: answers.append(server.client.post("/forecast", json=LARGE)))
    work.start()
    time.sleep(0.3)
    assert not answers
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(30) == 0
    work.join()
    assert answers[0].status_code == 200
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)


def test_its_workers_end_though_it_is_killed(folder: Path, model: Path) -> None:
    with serving([sys.executable, "-m", "service", str(model)], ROOT, {}, folder / "killed") as server:
        server.process.kill()
        assert server.closed(20)


def test_a_worker_ends_though_the_server_is_killed_while_it_starts(folder: Path, model: Path) -> None:
    command = [sys.executable, "-m", "service", str(model), "--port", "0"]
    server = psutil.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.DEVNULL)
    late, workers = time.monotonic() + 60, list[psutil.Process]()
    while not workers and time.monotonic() < late:
        time.sleep(0.02)
        with suppress(psutil.NoSuchProcess):  # the one that has checked the model ends meanwhile
            workers = [one for one in server.children() if "worker" in " ".join(one.cmdline())]
    server.kill()
    server.wait()
    assert workers
    assert psutil.wait_procs(workers, 60)[1] == []


def test_a_bento_serves_without_this_repository_and_mlflow(folder: Path, model: Path) -> None:
    away = folder / "away"
    away.mkdir()
    environment = {"BENTOML_HOME": str(folder / "bentoml"), "BENTOML_DO_NOT_TRACK": "true"}
    build = [sys.executable, "-m", "service.package", str(model), "--name", "shop", "--version", "8"]
    told = subprocess.check_output(build, cwd=ROOT, env=os.environ | environment, text=True, timeout=120)
    bento = Path(told.split()[-1])
    assert list(bento.rglob("weights.safetensors"))
    requirements = (bento / "env/python/requirements.txt").read_text()
    assert f"torch=={installed('torch').partition('+')[0]}\n" in requirements
    assert "mlflow" not in requirements
    (away / "sitecustomize.py").write_text(FAR_AWAY)
    environment["PYTHONPATH"] = str(away)
    command = [sys.executable, "-c", "import service"]
    nowhere = subprocess.run(command, cwd=away, env=os.environ | environment, capture_output=True, text=True)
    assert "No module named 'service'" in nowhere.stderr
    command = [sys.executable, "-m", "bentoml", "serve", str(bento)]
    with serving(command, away, environment, folder / "bento.log") as running:
        answer = running.client.post("/forecast", json=request())
        assert answer.status_code == 200
        assert answer.json()["model"] == {"name": "shop", "version": "8", "trained_until": UNTIL}
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0
