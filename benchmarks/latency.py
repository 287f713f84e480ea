"""How long a request takes, with a whole history and with what is new: `python -m benchmarks.latency`.

Trains on the bundled sample by the default command, serves the champion by one worker, and asks for a day of hours.
"""

import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from pipelines.cli.demo import HORIZON, NAME, ZONE, sample
from pipelines.data.panel import Panel
from pipelines.registry.fetch import resolve
from pipelines.sources.read import read
from pipelines.training.job import run
from pipelines.training.settings import TrainSettings

CASES = ((1, 168), (1, 1_000), (1, 4_000), (1, 17_000), (500, 400))
"""Series, and hours of each."""
TIMES = 30


def main(budget: Annotated[float, typer.Option(help="Seconds of training.")] = 60.0) -> None:
    """Milliseconds of a request, the median of thirty, by how many series it has and the length of their histories."""
    panel = read(sample(), zone=ZONE)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        run(TrainSettings(source=sample(), horizon=HORIZON, budget=budget, name=NAME, zone=ZONE))
        champion = resolve(NAME)
        print(f"{'series':>6} {'history':>8} {'whole':>8} {'first':>8} {'new':>8}   ms; load {os.getloadavg()[0]:.1f}")
        with serving(champion.folder) as client:
            for count, length in CASES:
                names = [f"{i} of {length} hours" for i in range(count)]
                history = piece(panel, 0, length, names)
                whole, first = median(client, "/forecast", [history] * TIMES), median(client, "/stream", [history])
                steps = [piece(panel, step, step + 1, names) for step in range(length, length + TIMES)]
                new = median(client, "/stream", steps)
                print(f"{count:6} {length:8,} {whole:8.1f} {first:8.1f} {new:8.1f}", flush=True)


def piece(panel: Panel, begin: int, end: int, names: list[str]) -> dict[str, Any]:
    """A request with a stretch of the first series, under each of these names."""
    values = panel.series(0)[begin:end].tolist()
    target = [None if math.isnan(value) else value for value in values]
    start = panel.times(0)[begin].isoformat()
    return {"series": [{"id": name, "start": start, "target": target} for name in names], "horizon": HORIZON}


def median(client: httpx.Client, path: str, requests: list[dict[str, Any]]) -> float:
    """Milliseconds that each of several requests takes, half of them more."""
    took = []
    for body in requests:
        began = time.perf_counter()
        client.post(path, json=body).raise_for_status()
        took.append(1e3 * (time.perf_counter() - began))
    return statistics.median(took)


@contextmanager
def serving(model: Path) -> Iterator[httpx.Client]:
    """A client of a server of an artifact folder, with a database of streams beside it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-P", "-m", "service", str(model), "--port", str(port)]
    environment = os.environ | {"FORECASTER_STREAMS": "sqlite:///streams.db"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            while process.poll() is None:
                try:
                    client.get("/readyz").raise_for_status()
                    break
                except httpx.HTTPError:
                    time.sleep(0.2)
            yield client
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    typer.run(main)
