"""The whole road on the bundled sample: a champion, the service and the MLflow UI, until Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from forecaster.errors import DataError
from pipelines.registry.commands import serving
from pipelines.registry.fetch import Fetched, copies, resolve
from pipelines.registry.fetch import champion as registered
from pipelines.registry.follow import start
from pipelines.sources.read import read
from pipelines.streams.store import VARIABLE
from pipelines.tracking.connection import tracking_uri

NAME = "pedestrians"
HORIZON = 24
ZONE = "Australia/Melbourne"
UI = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_LOGGING_LEVEL": "WARNING", "PYTHONWARNINGS": "ignore"}
"""The MLflow server without its job runners, five processes more, and without what only its developers want to know."""
TRAININGS = "/#/experiments?workflowType=machine_learning"
"""Where the MLflow UI shows trainings; by itself it opens on tools for language models."""
SHOWN = 72
"""Values that the printed request posts."""


def sample() -> Path:
    """Hourly counts of pedestrians at four places in Melbourne, 2015 and 2016, with gaps (see its README)."""
    return Path(str(resources.files("pipelines") / "sample" / "pedestrian_hourly.csv.gz"))


def champion(train: Callable[[], None], again: bool) -> Fetched:
    """The champion of the demo; `train` makes one where there is none yet."""
    if again or (there := registered(NAME)) is None:
        train()
        return resolve(NAME)
    return there


def serve(live: Fetched, port: int, mlflow_port: int) -> None:
    """Start the service and the MLflow UI, say where they are, and end them when interrupted."""
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)  # so that the children end with this process
    for number, variable in ((port, "PORT"), (mlflow_port, "MLFLOW_PORT")):
        _refuse_taken(number, variable)
    service = serving(str(copies().note(live.name)), "--parent", str(os.getpid()))
    ui = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracking_uri()]
    ui += ["--default-artifact-root", str(Path("mlruns/artifacts").absolute())]
    ui += ["--port", str(mlflow_port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    with ExitStack() as children:
        processes = [
            children.enter_context(_child([*service, "--port", str(port)], _streams())),
            children.enter_context(_child(ui, UI)),
        ]
        children.callback(_end, processes)
        start(live.name)
        _wait(f"http://127.0.0.1:{port}/readyz", processes)
        _wait(f"http://127.0.0.1:{mlflow_port}/health", processes)
        print(f"\nservice   http://127.0.0.1:{port}         (OpenAPI at /openapi.json)")
        print(f"MLflow    http://127.0.0.1:{mlflow_port}{TRAININGS}\n")
        print(
            f"champion: {live.name} version {live.version}. Try:\n\n{curl(port)}\n\n"
            "The same to /stream once, and then only what is new (docs/rest.md). Ctrl-C ends both.",
            flush=True,
        )
        try:
            while all(process.poll() is None for process in processes):
                time.sleep(0.5)
        except KeyboardInterrupt:
            return
        raise SystemExit("a server has ended; its messages are above")


def curl(port: int) -> str:
    """A request that works when pasted: the last days of one series of the sample."""
    panel = read(sample(), zone=ZONE)
    values = panel.series(0)[-SHOWN:]
    target = [None if value != value else int(value) for value in values]
    start = panel.times(0)[-SHOWN]
    series = [{"id": str(panel.ids[0]), "start": start.isoformat(), "freq": panel.frequency.name, "target": target}]
    body = json.dumps({"series": series, "horizon": HORIZON, "quantiles": [0.1, 0.5, 0.9]})
    return f"curl -s http://127.0.0.1:{port}/forecast -H 'Content-Type: application/json' -d '{body}'"


def _streams() -> dict[str, str]:
    """Where series are remembered, unless the environment says it."""
    return {} if VARIABLE in os.environ else {VARIABLE: f"sqlite:///{Path('mlruns/streams.db').absolute()}"}


def _child(command: list[str], environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, env=os.environ | environment, start_new_session=True, stdout=subprocess.DEVNULL)


def _end(processes: list["subprocess.Popen[bytes]"]) -> None:
    """Every process of both groups: the servers have workers of their own."""
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            continue
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _wait(url: str, processes: list["subprocess.Popen[bytes]"], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in processes):
            raise SystemExit("a server has ended while starting; its messages are above")
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {seconds:.0f} s")


def _refuse_taken(port: int, variable: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise DataError(f"port {port} is taken", remedy=f"{variable}={port + 1} make run") from None
