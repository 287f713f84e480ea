"""Accuracy on sets with an official split, through the command line, beside what others published.

    python -m benchmarks.accuracy m4_hourly --budget 5m
    python -m benchmarks.accuracy ETTh1_96 exchange_rate_daily_96 --budget 5m

trains with the default command, forecasts from the end of the training file (or, where the protocol is one of long
horizons, from every origin of the last part) and scores beside simple methods and those of statsforecast.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks import commands, long, peers
from benchmarks.files import RESULTS, SHARED, Folder, found, known, packaged
from benchmarks.provenance import provenance
from benchmarks.published import COLUMNS, DATASETS, Dataset, Figures, Long, Rows
from forecaster.batch import Forecast
from forecaster.quantiles import LEVELS
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import Backtest
from pipelines.evaluation.unit import naive_error
from pipelines.sources.read import read

POINT = ("smape", "mase", "owa", "mae")
"""The scores that judge the median alone."""

Result = dict[str, Any]
"""What is kept of a run."""


def main(
    names: Annotated[list[str], typer.Argument(help=f"Of {', '.join(DATASETS)}.")],
    budget: Annotated[str, typer.Option(help="Training time of each.")] = "5m",
    seed: int = 0,
    data: Folder = SHARED,
    statsforecast: Annotated[bool, typer.Option(help="Run it too, but for long horizons; half an hour on M4.")] = True,
) -> None:
    """Train and score on each data set, print the table and keep the result as JSON."""
    known(names, DATASETS)
    for name in names:
        dataset, began = DATASETS[name], time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            told = data, Path(folder), "--budget", budget, "--seed", str(seed)
            beside = (peers.simple, peers.statsforecast) if statsforecast else (peers.simple,)
            rows = dict(long.measure(dataset, *told) if isinstance(dataset, Long) else official(dataset, beside, *told))
        ours, seconds = rows.pop("ours"), time.perf_counter() - began
        result = keep(name, seed, budget, seconds, ours, rows)
        everything = dataset.rows | others(result) | {f"forecaster train, {seconds:.0f} s": ours}
        print(f"{name}: horizon {dataset.horizon}\n{table(everything, dataset.decides)}")
        print("ours: " + ", ".join(f"{metric} {value:.4f}" for metric, value in ours.items()))


def official(
    dataset: Dataset, beside: Sequence[peers.Methods], data: Path, folder: Path, *options: str
) -> Iterator[tuple[str, Figures]]:
    """The methods `beside`, of which there is the point alone, then what the default command gives as "ours"."""
    if dataset.competition is not None:
        train, test = packaged(dataset.competition, dataset.name.rpartition("_")[2], folder)
    else:
        train, test = (found(data, f"{dataset.name}_{part}") for part in ("train", "test"))
    panel, horizon, season = read(train), dataset.horizon, dataset.season
    actual = truth(panel, read(test), horizon)
    for methods in beside:
        for name, points in methods(panel, horizon, season):
            yield name, score(dataset, panel, actual, points)
    commands.train(train, folder, horizon, *options)
    yield "ours", score(dataset, panel, actual, commands.forecast(train, folder, horizon))


def score(dataset: Dataset, panel: Panel, actual: np.ndarray, told: np.ndarray) -> Figures:
    """Every metric of forecasts from the end of a panel, with OWA where Naive2's figures are known.

    Told are quantiles, or a point for each step, of which only what judges a point is said.
    """
    quantiles = told if told.ndim == 3 else np.repeat(told[..., None], len(LEVELS), -1)
    forecast = Forecast(LEVELS, torch.from_numpy(quantiles), torch.from_numpy(quantiles.mean(-1)))
    metrics = Backtest(forecast, actual, naive_error(panel, dataset.season)).metrics()
    if dataset.naive2 is not None:
        metrics["owa"] = (metrics["smape"] / dataset.naive2[0] + metrics["mase"] / dataset.naive2[1]) / 2
    return metrics if told.ndim == 3 else {metric: metrics[metric] for metric in POINT if metric in metrics}


def table(rows: Rows, decides: str) -> str:
    """Rows as aligned text, the best first."""
    shown = columns(rows)
    lines = [f"{'method':46}" + "".join(f"{COLUMNS[metric]:>9}" for metric in shown)]
    for method in ranked(rows, decides):
        cells = (f"{rows[method][metric]:9.4g}" if metric in rows[method] else f"{'-':>9}" for metric in shown)
        lines.append(f"{method:46}" + "".join(cells))
    return "\n".join(lines)


def columns(rows: Rows) -> list[str]:
    """The scores that a table shows: those that any row has."""
    return [metric for metric in COLUMNS if any(metric in figures for figures in rows.values())]


def ranked(rows: Rows, decides: str) -> list[str]:
    """The methods, the best first; those without the score that decides come last."""
    return sorted(rows, key=lambda method: rows[method].get(decides, np.inf))


def keep(name: str, seed: int, budget: str, seconds: float, metrics: Figures, beside: Rows) -> Result:
    """Write a result with what is needed to repeat it, and return it."""
    file = RESULTS / f"{name}.json"
    result = {
        "dataset": name,
        "metrics": metrics,
        "beside": beside,
        "earlier": earlier(json.loads(file.read_text()), beside) if file.exists() else {},
        "seconds": round(seconds, 1),
        "budget": budget,
        "seed": seed,
        **provenance(),
    }
    RESULTS.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n")
    return result


def earlier(result: Result, beside: Rows) -> dict[str, Rows]:
    """By commit, the rows of the result before this one whose methods were not run again."""
    again = {kind(method) for method in beside}
    runs = {result["commit"]: result["beside"], **result["earlier"]}
    left = {
        commit: {method: figures for method, figures in rows.items() if kind(method) not in again}
        for commit, rows in runs.items()
    }
    return {commit: rows for commit, rows in left.items() if rows}


def kind(method: str) -> str:
    """A method without its seconds: `kind("AutoETS, 12 s")` is "AutoETS"."""
    return method.partition(",")[0]


def others(result: Result) -> Rows:
    """What was run beside ours, and which run that was: this one or an earlier one."""
    runs = {"this run": result["beside"]} | {f"run of {commit}": rows for commit, rows in result["earlier"].items()}
    return {f"{method} ({run})": figures for run, rows in runs.items() for method, figures in rows.items()}


def truth(panel: Panel, test: Panel, horizon: int) -> np.ndarray:
    """The test values in the order of the panel's series."""
    rows = {series: test.series(i)[:horizon] for i, series in enumerate(test.ids)}
    return np.stack([np.pad(rows[i], (0, horizon - len(rows[i])), constant_values=np.nan) for i in panel.ids])


if __name__ == "__main__":
    typer.run(main)
