"""LSTM against GRU: weights, seconds per epoch, and accuracy on three data sets after the same number of updates.

    python -m benchmarks.cells
    python -m benchmarks.cells lstm gru elman --updates 50

builds each cell as its recipe says, trains all of them in the same way and for as many updates, and scores the
forecasts from the end of the training file against the test file, as they come out of the network, without
calibration. The cells take turns epoch by epoch, so that a machine that gets slower does so for all; the seconds of
an epoch, which is about 25 updates, are of training alone. 400 updates of two cells are 16 rounds: even at the 68 s
a round that a machine with a load of 7 on two cores has needed for the three sets, less than 20 minutes.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, NamedTuple

import torch
import typer

from benchmarks.accuracy import score, truth
from benchmarks.files import RESULTS, SHARED, Folder, found
from benchmarks.provenance import provenance
from benchmarks.published import OFFICIAL
from forecaster.build import build
from forecaster.model import Model, Numeric
from forecaster.spec import FitSpec
from forecaster.train import fit
from pipelines.batches.covariates import describe
from pipelines.batches.windows import EPOCH, Table
from pipelines.evaluation.unit import unit
from pipelines.forecasting.distribution import distribution
from pipelines.recipes.recipe import choose
from pipelines.sources.read import read
from pipelines.training import automatic
from pipelines.training.fitting import batches

NAMES = ("m4_hourly", "nn5_daily", "m3_monthly")


class Row(NamedTuple):
    """One cell on one data set."""

    dataset: str
    cell: str
    weights: int
    cpu: float
    """Median seconds of an epoch."""
    cuda: float | None
    mase: float
    weighted_quantile_loss: float


def main(
    cells: Annotated[list[str] | None, typer.Argument(help="Recipes of cells; lstm and gru if left out.")] = None,
    updates: Annotated[int, typer.Option(help="Steps of gradient descent of each; 50 for a quick look.")] = 400,
    seed: int = 0,
    data: Folder = SHARED,
) -> None:
    """Train every cell on every data set, print the table and keep it as JSON."""
    began, names, load = time.perf_counter(), tuple(cells or ("lstm", "gru")), os.getloadavg()[0]
    rows = [row for name in NAMES for row in compare(name, names, updates, seed, data)]
    print(table(rows))
    result = {
        "rows": [row._asdict() for row in rows],
        "updates": updates,
        "seconds": round(time.perf_counter() - began, 1),
        "seed": seed,
        "threads": torch.get_num_threads(),
        "load_average_before": round(load, 1),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        **provenance(),
    }
    (RESULTS / "cells.json").write_text(json.dumps(result, indent=1) + "\n")


def compare(name: str, cells: tuple[str, ...], updates: int, seed: int, folder: Path) -> list[Row]:
    """Every cell on one data set."""
    dataset = OFFICIAL[name]
    panel, test = (read(found(folder, f"{name}_{part}")) for part in ("train", "test"))
    actual = truth(panel, test, dataset.horizon)
    data = describe(panel)
    task = automatic.task(panel, data, dataset.horizon, dataset.season)
    specs = [recipe.model for recipe in choose(cells).values()]

    def trained(device: str, updates: int) -> tuple[list[Model], list[float]]:
        """The cells side by side, and the seconds of an epoch of each."""
        models = [build(spec, task, seed).to(device) for spec in specs]
        table = Table(panel, data, device=torch.device(device), unit=unit(panel, dataset.season))
        return models, train(f"{name} on {device}", models, table, FitSpec(updates=updates, seed=seed))

    models, cpu = trained("cpu", updates)
    cuda = trained("cuda", 4 * EPOCH)[1] if torch.cuda.is_available() else [None] * len(cells)
    rows = []
    for cell, model, slow, fast in zip(cells, models, cpu, cuda, strict=True):
        assert isinstance(model, Numeric)
        made = distribution(model.eval(), data, panel, dataset.horizon).forecast()
        metrics = score(dataset, panel, actual, made.quantiles.numpy())
        weights = sum(parameter.numel() for parameter in model.parameters())
        rows.append(Row(name, cell, weights, slow, fast, metrics["mase"], metrics["weighted_quantile_loss"]))
    return rows


def train(title: str, models: list[Model], table: Table, spec: FitSpec) -> list[float]:
    """Train the models in turns, an epoch each, telling how far they are; returns the median seconds of an epoch."""
    rounds = []
    for steps in zip(*(fit(model, batches(table, model, spec), spec) for model in models), strict=True):
        rounds.append([step.seconds for step in steps])
        seconds = ", ".join(f"{step.seconds:.1f} s" for step in steps)
        print(f"{title}: {steps[0].updates} of {spec.updates} updates, {seconds}", file=sys.stderr, flush=True)
    return [statistics.median(seconds) for seconds in zip(*rounds, strict=True)]


def table(rows: list[Row]) -> str:
    """Aligned text."""
    head = f"{'data':14}{'cell':8}{'weights':>9}{'s/epoch':>9}{'on CUDA':>9}{'MASE':>9}{'wQL':>9}"
    lines = [
        f"{row.dataset:14}{row.cell:8}{row.weights:9}{row.cpu:9.2f}"
        f"{'-' if row.cuda is None else f'{row.cuda:.2f}':>9}{row.mase:9.3f}{row.weighted_quantile_loss:9.4f}"
        for row in rows
    ]
    return "\n".join([head, *lines])


if __name__ == "__main__":
    typer.run(main)
