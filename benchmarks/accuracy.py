"""Accuracy on sets with an official split, through the command line, beside what others published.

    python -m benchmarks.accuracy m4_hourly --budget 5m

trains with the default command, forecasts from the end of the training file and scores against the test file.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import torch
import typer

from benchmarks.provenance import provenance
from benchmarks.published import DATASETS, Dataset, Row
from forecaster.batch import Forecast
from forecaster.quantiles import LEVELS
from pipelines.backtest import Backtest, naive_error
from pipelines.panel import Panel
from pipelines.sources import read

RESULTS = Path(__file__).parent / "results"
SHARED = Path(__file__).parents[2] / "shared" / "data"


def main(
    names: Annotated[list[str], typer.Argument(help="Data sets, such as m4_hourly.")],
    budget: Annotated[str, typer.Option(help="Training time of each.")] = "5m",
    seed: int = 0,
    data: Annotated[Path, typer.Option(help="Folder with the files.")] = SHARED,
) -> None:
    """Train and score on each data set, print the table and keep the result as JSON."""
    for name in names:
        dataset = DATASETS[name]
        train, test = (data / f"{name}_{part}.csv.gz" for part in ("train", "test"))
        panel = read(train)
        actual = truth(panel, read(test), dataset.horizon)
        naive = score(dataset, panel, actual, _seasonal_naive(panel, dataset))
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            predictions = _through_the_command_line(dataset, train, Path(folder), budget, seed)
            seconds = time.perf_counter() - began
        ours = score(dataset, panel, actual, predictions)
        rows = [
            *dataset.rows,
            _row("seasonal naive, by this metric code", naive),
            _row(f"forecaster train, {seconds:.0f} s", ours),
        ]
        print(table(f"{name}: horizon {dataset.horizon}, {len(panel)} series", rows))
        print("ours: " + ", ".join(f"{metric} {value:.4f}" for metric, value in ours.items()))
        keep(name, seed, budget, seconds, ours)


def score(dataset: Dataset, panel: Panel, actual: np.ndarray, quantiles: np.ndarray) -> dict[str, float]:
    """Every metric of forecasts from the end of a panel, with OWA where Naive2's figures are known."""
    forecast = Forecast(LEVELS, torch.from_numpy(quantiles), torch.from_numpy(quantiles.mean(-1)))
    metrics = Backtest(forecast, actual, naive_error(panel, dataset.season)).metrics()
    if dataset.naive2 is not None:
        metrics["owa"] = (metrics["smape"] / dataset.naive2[0] + metrics["mase"] / dataset.naive2[1]) / 2
    return metrics


def table(title: str, rows: list[Row]) -> str:
    """Rows as aligned text, the best OWA (or MASE) first."""
    head = f"{title}\n{'method':46}{'sMAPE':>9}{'MASE':>9}{'OWA':>9}{'wQL':>9}{'MSIS':>9}"
    ranked = sorted(rows, key=lambda row: (row[3] if row[3] is not None else 9.0, row[2] or 9.0))
    lines = [f"{row[0]:46}" + "".join(f"{x:9.4g}" if x is not None else f"{'-':>9}" for x in row[1:]) for row in ranked]
    return "\n".join([head, *lines])


def keep(name: str, seed: int, budget: str, seconds: float, metrics: dict[str, float]) -> None:
    """Write a result with what is needed to repeat it."""
    RESULTS.mkdir(exist_ok=True)
    result = {
        "dataset": name,
        "metrics": metrics,
        "seconds": round(seconds, 1),
        "budget": budget,
        "seed": seed,
        **provenance(),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def truth(panel: Panel, test: Panel, horizon: int) -> np.ndarray:
    """The test values in the order of the panel's series."""
    rows = {series: test.series(i)[:horizon] for i, series in enumerate(test.ids)}
    return np.stack([np.pad(rows[i], (0, horizon - len(rows[i])), constant_values=np.nan) for i in panel.ids])


def _through_the_command_line(dataset: Dataset, train: Path, folder: Path, budget: str, seed: int) -> np.ndarray:
    levels = ",".join(str(level) for level in LEVELS)
    out = folder / "forecasts.parquet"
    forecaster = [sys.executable, "-m", "pipelines"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    horizon = ["--horizon", str(dataset.horizon)]
    for command in (
        [
            "train",
            str(train),
            *horizon,
            "--season",
            str(dataset.season),
            "--budget",
            budget,
            "--seed",
            str(seed),
        ],
        ["forecast", str(train), *horizon, "--out", str(out), "--quantiles", levels],
    ):
        subprocess.run([*forecaster, *command], cwd=folder, env=environment, check=True)
    frame = pd.read_parquet(out)
    columns = [f"q{level:g}" for level in LEVELS]
    return frame[columns].to_numpy().reshape(-1, dataset.horizon, len(LEVELS))


def _seasonal_naive(panel: Panel, dataset: Dataset) -> np.ndarray:
    steps = np.arange(dataset.horizon) % dataset.season
    point = np.stack([panel.series(i)[-dataset.season :][steps] for i in range(len(panel))])
    return np.repeat(point[..., None], len(LEVELS), -1)


def _row(method: str, metrics: dict[str, float]) -> Row:
    get = metrics.get
    return method, get("smape"), get("mase"), get("owa"), get("weighted_quantile_loss"), get("msis")


if __name__ == "__main__":
    typer.run(main)
