"""The protocol of long horizons: every origin of the last part, each with the same look-back, in standard units."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64
from numpy import ndarray

from benchmarks import commands, peers
from benchmarks.files import found
from benchmarks.published import Figures, Long
from forecaster.model import Numeric
from pipelines.champion.load import live
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import MEDIAN, interval
from pipelines.forecasting.distribution import distribution

BLOCK = 200
"""Origins that are forecast from at a time."""

Points = Float64[ndarray, "rows horizon"]
Quantiles = Float64[ndarray, "rows horizon levels"]
Answer = Callable[[Panel], tuple[Points, Quantiles | None]]
"""Mean and quantiles of the steps after each series, or a point that is both mean and median."""


def measure(protocol: Long, data: Path, folder: Path, *options: str) -> Iterator[tuple[str, Figures]]:
    """The simple methods, of which there is the point alone, then what the default command gives as "ours"."""
    frame = read(found(data, protocol.file))
    panel, horizon = panel_from_frame(frame), protocol.horizon

    def simple(last: int, seen: Panel) -> tuple[Points, None]:
        return peers.repeat(seen, horizon, last), None

    for name, last in peers.repeated(protocol.season).items():
        yield name, score(protocol, panel, partial(simple, last))
    file = folder / "train.csv.gz"
    frame.groupby("unique_id").head(protocol.borders[1]).to_csv(file, index=False)
    commands.train(file, folder, horizon, *options)
    with chdir(folder):
        artifact = live("forecaster")
    model = artifact.model
    assert isinstance(model, Numeric)

    def champion(seen: Panel) -> tuple[Points, Quantiles]:
        made = distribution(model, artifact.spec.data, seen, horizon, artifact.calibrator).forecast()
        return made.mean.numpy(), made.quantiles.numpy()

    yield "ours", score(protocol, panel, champion)


def read(file: Path) -> pd.DataFrame:
    """Columns unique_id, ds and y; a wide table has a series in each column but its first."""
    frame = pd.read_csv(file)
    if "unique_id" in frame:
        return frame
    return frame.rename(columns={frame.columns[0]: "ds"}).melt("ds", var_name="unique_id", value_name="y")


def score(protocol: Long, panel: Panel, answer: Answer) -> Figures:
    """Over all origins, steps and series: MSE of the mean, MAE of the median, what intervals cover."""
    values = panel.values.reshape(len(panel), -1)
    unit = values[:, : protocol.borders[0]].std(1)[:, None]
    sums: Counter[str] = Counter()
    ends = np.arange(protocol.borders[1], protocol.borders[2] - protocol.horizon + 1)
    for block in np.split(ends, range(BLOCK, len(ends), BLOCK)):
        mean, quantiles = answer(windows(panel, values, block, protocol.look_back))
        actual = np.concatenate([values[:, end : end + protocol.horizon] for end in block])
        scale = np.tile(unit, (len(block), 1))
        sums["mse"] += np.square((mean - actual) / scale).sum()
        median = mean if quantiles is None else quantiles[..., MEDIAN]
        sums["mae"] += np.abs((median - actual) / scale).sum()
        sums["values"] += actual.size
        if quantiles is not None:
            for percent in (80, 95):
                low, high = (quantiles[..., level] for level in interval(percent))
                sums[f"coverage_{percent}"] += ((low <= actual) & (actual <= high)).sum()
    return {name: float(total / sums["values"]) for name, total in sums.items() if name != "values"}


def windows(
    panel: Panel, values: Float64[ndarray, "series time"], ends: Int64[ndarray, "origins"], look_back: int
) -> Panel:
    """All series as they are seen from each origin: the look-back alone."""
    shape = panel.cut(np.full(len(panel), look_back)).select(np.tile(np.arange(len(panel)), len(ends)))
    seen = np.concatenate([values[:, end - look_back : end] for end in ends])
    begin = panel.frequency.advance(shape.start, np.repeat(ends - look_back, len(panel)), panel.zone)
    return replace(shape, values=seen.ravel(), start=begin)
