"""How fast and in how much memory many series are forecast: `python -m benchmarks.scaling`.

The command `forecaster forecast DATA --out FOLDER/` from Parquet to Parquet, by a pool of two processes, and by Ray of
two workers, one of which is killed half-way. A machine that does other work too is slow by the clock, and less so by
processor time.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import typer

from benchmarks.files import RESULTS
from benchmarks.provenance import provenance
from forecaster.artifact import Artifact
from pipelines.champion.bulk import SHARD
from pipelines.champion.load import live, panel_for
from pipelines.forecasting.predict import predict
from pipelines.sources.source import Source
from pipelines.training import job
from pipelines.training.settings import TrainSettings

STEPS, HORIZON, FEW = 200, 24, 500
"""Observations and forecast steps of a series, and series to train on."""
FILE = 5000
"""Series in a file, whose rows are ordered by time."""
POOL, RAY = ["--workers", "2"], ["--engine", "ray", "--workers", "2"]


class Row(NamedTuple):
    """One run of the command."""

    engine: str
    series: int
    seconds: float
    """From the start of Python to its end."""
    start: float
    """Seconds of the same command on a few series."""
    rate: float
    """Series per second after the start."""
    cpu_rate: float
    """Series per second of processor time of all processes, after the start."""
    worker_mib: float
    """Largest peak of resident memory of a process that forecasts."""
    load: float
    """Mean number of processes that wanted a processor of the machine, in the last minute."""


class Watch(threading.Thread):
    """Peak memory and processor time of a process and all below it, until it ends."""

    def __init__(self, root: int) -> None:
        super().__init__(daemon=True)
        self.root, self.peaks, self.cpu = psutil.Process(root), dict[int, float](), dict[int, float]()

    def run(self) -> None:
        while psutil.pid_exists(self.root.pid):
            for process in self.family():
                try:
                    times = process.cpu_times()
                    self.cpu[process.pid] = times.user + times.system
                    if works(process):
                        status = Path(f"/proc/{process.pid}/status").read_text()
                        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
                        self.peaks[process.pid] = int(peak.split()[1]) / 1024
                except (psutil.Error, OSError, StopIteration):
                    continue
            time.sleep(0.05)

    def family(self) -> list[psutil.Process]:
        """Those that live."""
        try:
            return [self.root, *self.root.children(recursive=True)]
        except psutil.Error:
            return []


def works(process: psutil.Process) -> bool:
    """Whether it is a worker of a pool or of Ray."""
    command = " ".join(process.cmdline())
    return command.startswith("ray::") or "loky.backend.popen_loky_posix" in command


def main(
    series: Annotated[int, typer.Option(help="How many.")] = 100_000,
    recipe: Annotated[str, typer.Option(help="The model.")] = "lstm",
) -> None:
    """Print the rates and keep them."""
    began = time.perf_counter()
    here = os.environ.get("PYTHONPATH", str(Path.cwd()))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ |= {"PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
        torch.set_num_threads(1)
        write(Path("many"), series)
        write(Path("few"), FEW)
        job.run(TrainSettings(source=Source(path="few"), horizon=HORIZON, recipes=(recipe,), budget=20, name="scaling"))
        artifact = live("scaling")
        alone = in_process(artifact)
        print(f"{recipe}: {alone['rate']:.0f} series a second, {alone['cpu_rate']:.0f} in one of processor time")
        parts, lossy = -(-series * STEPS // SHARD), "Ray, a worker killed half-way"
        rows = []
        for name, options, meanwhile in (
            (lossy, RAY, partial(kill, Path(lossy), parts)),
            ("two processes", POOL, lambda watch: None),
        ):
            rows.append(measure(name, options, series, meanwhile))
            print(table(rows[-1:]), flush=True)
        one, other = (digests(Path(row.engine)) for row in rows)
        print(f"the same bytes in {len(one)} parts: {one == other}")
        result = {
            "model": {"recipe": recipe, **artifact.spec.model.model_dump(), "task": artifact.spec.task.model_dump()},
            "steps": STEPS,
            "forecast_in_one_process": alone,
            "rows": [row._asdict() for row in rows],
            "parts": len(one),
            "same_bytes": one == other,
            "seconds": round(time.perf_counter() - began, 1),
        }
        os.chdir(here)
    (RESULTS / "scaling.json").write_text(json.dumps(result | provenance(), indent=1) + "\n")


def write(folder: Path, series: int) -> None:
    """Hourly waves with noise, many series to a file."""
    folder.mkdir()
    random, steps = np.random.default_rng(0), np.arange(STEPS)
    hours = np.datetime64("2024-01-01", "us") + steps * np.timedelta64(1, "h")
    for begin in range(0, series, FILE):
        some = min(FILE, series - begin)
        level, phase = random.lognormal(3, 1, (some, 1)), random.integers(0, 24, (some, 1))
        wave = np.sin((steps + phase) * 2 * np.pi / 24) + 0.2 * random.standard_normal((some, STEPS))
        names = np.array([f"series {number:07d}" for number in range(begin, begin + some)])
        columns = {
            "unique_id": np.tile(names, STEPS),
            "ds": np.repeat(hours, some),
            "y": (level * (1.5 + wave)).T.ravel(),
        }
        pq.write_table(pa.table(columns), folder / f"{begin:07d}.parquet")


def in_process(artifact: Artifact) -> dict[str, float]:
    """Forecasting alone, from a panel in memory to calibrated quantiles, on one thread."""
    panel = panel_for(artifact, Path("few"), None, "error")
    panel = panel.select(np.tile(np.arange(FEW), 20))
    began, cpu = time.perf_counter(), time.process_time()
    predict(artifact, panel, HORIZON)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"rate": len(panel) / seconds, "cpu_rate": len(panel) / cpu, "load": os.getloadavg()[0]}


def measure(name: str, options: list[str], series: int, meanwhile: Callable[[Watch], None] = lambda watch: None) -> Row:
    """Run the command on a few series and on all."""
    start, before = command("few", f"{name}, few", options)
    seconds, watch = command("many", name, options, meanwhile)
    rate = (series - FEW) / (seconds - start)
    each = (sum(watch.cpu.values()) - sum(before.cpu.values())) / (series - FEW)
    return Row(name, series, seconds, start, rate, 1 / each, max(watch.peaks.values()), os.getloadavg()[0])


def command(
    data: str, out: str, options: list[str], meanwhile: Callable[[Watch], None] = lambda watch: None
) -> tuple[float, Watch]:
    """Forecast a folder into a folder; returns the seconds, and what was seen of the processes."""
    began = time.perf_counter()
    arguments = ["forecast", data, "--out", f"{out}/", "--name", "scaling", "--quantiles", "0.1,0.5,0.9", *options]
    process = subprocess.Popen([sys.executable, "-m", "pipelines", *arguments], stderr=subprocess.DEVNULL)
    watch = Watch(process.pid)
    watch.start()
    meanwhile(watch)
    if process.wait():
        raise RuntimeError(f"forecaster {' '.join(arguments)} failed")
    seconds = time.perf_counter() - began
    watch.join()
    return seconds, watch


def kill(out: Path, parts: int, watch: Watch) -> None:
    """Kill a worker of Ray that is busy when half of the parts are there."""
    while len(list(out.glob("*.parquet"))) < parts / 2 and watch.is_alive():
        time.sleep(0.05)
    busy = [process for process in watch.family() if works(process) and process.cmdline()[0] == "ray::_call"]
    busy[0].send_signal(signal.SIGKILL)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every part."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.glob("*.parquet")}


def table(rows: list[Row]) -> str:
    """Aligned text."""
    head = f"{'':30}{'series':>9}{'seconds':>9}{'start':>8}{'series/s':>10}{'per cpu s':>11}{'MiB each':>12}{'load':>7}"
    lines = [
        f"{row.engine:30}{row.series:9}{row.seconds:9.1f}{row.start:8.1f}{row.rate:10.0f}{row.cpu_rate:11.0f}"
        f"{row.worker_mib:12.0f}{row.load:7.1f}"
        for row in rows
    ]
    return "\n".join([head, *lines])


if __name__ == "__main__":
    typer.run(main)
