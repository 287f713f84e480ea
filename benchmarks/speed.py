"""How fast networks are trained: `python -m benchmarks.speed`.

Windows per second beside plain torch, at the same network (LSTM 2 x 128, context 168, horizon 48, batch of 256), in
turns; memory for a million windows; what each member of an ensemble adds to a forecast; and seconds until M4 Hourly is
forecast with an OWA of 0.55.
"""

import json
import os
import resource
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal, get_args

import numpy as np
import pandas as pd
import torch
import typer
from torch import Tensor, nn

from benchmarks.files import RESULTS, SHARED, Folder, found
from benchmarks.provenance import provenance
from benchmarks.race import HORIZON, Race
from forecaster.build import build
from forecaster.model import Model, Numeric
from forecaster.models.recurrent import OVERLAP
from forecaster.quantiles import LEVELS
from forecaster.spec import CoreSpec, EnsembleSpec, FitSpec, RecurrentSpec, Task
from forecaster.train import fit
from pipelines.batches.covariates import describe
from pipelines.batches.windows import Table, Windows
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.forecasting.distribution import distribution
from pipelines.recipes.recipe import recipes
from pipelines.training.fitting import batches

CONTEXT, BATCH, DAY = 168, 256, 24
LENGTH = 1216
"""Observations of a series: a thousand windows."""
ROUNDS, UPDATES = 5, 4
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def main(
    series: Annotated[int, typer.Option(help="How many; each has a thousand windows.")] = 1000,
    data: Folder = SHARED,
) -> None:
    """Print the rates, the memory and the seconds, and keep them."""
    files = found(data, "m4_hourly_train"), found(data, "m4_hourly_test")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    panel = waves(series)
    table = Table(panel, describe(panel), device=device)
    grown = memory(table)  # first: what it is measured by never shrinks
    rows = rates(table, device)
    for name, rate in rows.items():
        print(f"{name:70}{rate:10.0f} windows/s")
    print(f"a million windows: {grown:.0f} MiB beyond the series, which have {table.target.nbytes / 2**20:.0f} MiB")
    asked = asking(panel)
    for name, milliseconds in asked.items():
        print(f"{name:60}{milliseconds:10.1f} ms")
    race = Race(*files)
    reached = {
        "in a process": race.reach(race.in_process, 25),
        "by commands": race.reach(race.by_commands, 2),
    }
    for name, one in reached.items():
        print(f"M4 Hourly, {name}: OWA {one['owa']:.3f} after {one['seconds']:.1f} s, forecasts included")
    result = {"device": named(device), "threads": torch.get_num_threads(), "windows_per_second": rows}
    result |= {"million_windows_mib": grown, "forecast_milliseconds": asked, "m4_hourly": reached}
    (RESULTS / "speed.json").write_text(json.dumps(result | provenance(), indent=1) + "\n")


def waves(series: int) -> Panel:
    """Days and weeks of hours, with noise."""
    random, steps = np.random.default_rng(0), np.arange(LENGTH)
    level = random.lognormal(3, 1, (series, 1))
    values = level * (2 + np.sin(steps * 2 * np.pi / DAY) + 0.2 * random.standard_normal((series, LENGTH)))
    number = np.repeat(np.arange(series), LENGTH)
    return panel_from_frame(pd.DataFrame({"unique_id": number, "ds": np.tile(steps, series), "y": values.ravel()}))


class Plain(nn.Module):
    """What one would write in torch alone: an LSTM over a window in units of its deviation, and a linear map.

    It learns a point at the end of each window, or with `dense` the same quantiles at the same origins as ours.
    """

    def __init__(self, segment: int, *, dense: bool) -> None:
        super().__init__()
        self.segment = segment
        self.levels = torch.tensor(LEVELS if dense else [0.5])
        self.apart = max(1, HORIZON // (OVERLAP * segment)) * segment if dense else CONTEXT
        self.lstm = nn.LSTM(segment, 128, 2, batch_first=True)
        self.out = nn.Linear(128, HORIZON * len(self.levels))

    def loss(self, window: Tensor) -> Tensor:
        """Mean pinball loss of the steps after each origin: the last, and every `apart` observations before it."""
        seen = window[:, :CONTEXT]
        units = (window - seen.mean(1, keepdim=True)) / seen.std(1, keepdim=True)
        features, _ = self.lstm(units[:, :CONTEXT].unflatten(1, (-1, self.segment)))
        every = slice((CONTEXT - 1) % self.apart // self.segment, None, self.apart // self.segment)
        told = self.out(features[:, every]).unflatten(-1, (HORIZON, -1))
        ahead = units[:, self.segment :].unfold(1, HORIZON, self.segment)[:, every]
        error, levels = ahead.unsqueeze(-1) - told, self.levels.to(told.device)
        return torch.maximum(levels * error, (levels - 1) * error).mean()


def rates(table: Table, device: torch.device) -> dict[str, float]:
    """Windows per second: each network a few updates in turns, and of its turns the median."""
    networks: dict[str, tuple[Callable[[], object], float]] = {}
    for segment in (1, DAY):
        read = f"{CONTEXT} steps of 1 observation" if segment == 1 else f"{CONTEXT // DAY} steps of {DAY}"
        for dense, learns in ((False, "a point"), (True, "all that ours learns")):
            for precision in PRECISIONS:
                network = Plain(segment, dense=dense).to(device)
                networks[f"plain torch, {read}, {learns}, {precision}"] = (
                    partial(plain, network, table, precision),
                    BATCH,
                )
        spec = FitSpec(updates=UPDATES, lanes=BATCH, bptt=CONTEXT // segment, sampling="windows")
        for precision in PRECISIONS:
            told = spec.model_copy(update={"precision": precision})
            networks[f"forecaster, {read}, {precision}"] = partial(ours, model(segment).to(device), table, told), BATCH
    origins = learned(model(DAY), table, FitSpec())
    for precision in PRECISIONS:
        told = FitSpec(updates=UPDATES, precision=precision)
        name = f"forecaster as it is: lanes, each segment ends a window, {precision}"
        networks[name] = partial(ours, model(DAY).to(device), table, told), origins
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for _ in range(1 + ROUNDS):
        for name, (train, _) in networks.items():
            began = time.perf_counter()
            train()
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    return {name: UPDATES * count / float(np.median(seconds[name][1:])) for name, (_, count) in networks.items()}


def model(segment: int) -> Model:
    """The network of the recipe `lstm`."""
    return build(RecurrentSpec(core=CoreSpec()), Task(horizon=HORIZON, stride=segment, seasons=(DAY,), positive=True))


def learned(network: Model, table: Table, spec: FitSpec) -> float:
    """Mean number of segments in a batch that are observed and followed by a whole horizon."""
    counts = []
    for batch in batches(table, network, spec).epoch(0):
        segments = batch.target.unflatten(1, (-1, DAY)).isfinite().all(-1)
        ahead = torch.cat([batch.target, batch.future], 1)[:, DAY:].unfold(1, HORIZON, DAY)[:, : segments.shape[1]]
        counts.append(int((segments & ahead.isfinite().all(-1)).sum()))
    return float(np.mean(counts))


def ours(network: Model, table: Table, spec: FitSpec) -> None:
    """Updates by the trainer."""
    for _ in fit(network, batches(table, network, spec), spec):
        pass


def plain(network: Plain, table: Table, precision: Precision) -> None:
    """As many updates by hand, of windows that are gathered by index too."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3)
    values = table.target.float()
    for _ in range(UPDATES):
        series = torch.randint(len(table.length), (BATCH, 1), device=values.device)
        begin = torch.randint(LENGTH - CONTEXT - HORIZON, (BATCH, 1), device=values.device)
        windows = values[series * LENGTH + begin + torch.arange(CONTEXT + HORIZON, device=values.device)]
        with torch.autocast(values.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            loss = network.loss(windows)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def memory(table: Table) -> float:
    """MiB by which the peak of the process grows while it reads a million windows."""
    windows, read, number = Windows(table, lanes=BATCH, context=CONTEXT, ahead=HORIZON, seed=0), 0, 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while read < 1_000_000:
        read += sum(len(batch.reset) for batch in windows.epoch(number))
        number += 1
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def asking(panel: Panel) -> dict[str, float]:
    """Milliseconds for the forecast of one series from its whole history, by networks alone and together."""
    one, data, known = panel.select(np.array([0])), describe(panel), recipes()
    task = Task(horizon=HORIZON, stride=DAY, seasons=(DAY, 7 * DAY), positive=True)
    specs = [known[name].model for name in ("lstm", "gru", "lstm_linear")]
    times = {}
    for count in range(1, 1 + len(specs)):
        network = build(EnsembleSpec(members=tuple(specs[:count])), task).eval()
        assert isinstance(network, Numeric)
        each = []
        for _ in range(30):
            began = time.perf_counter()
            distribution(network, data, one, HORIZON).forecast()
            each.append(1000 * (time.perf_counter() - began))
        times[f"forecast of a series of {LENGTH} hours, members: {count}"] = float(np.median(each))
    return times


def named(device: torch.device) -> str:
    """What a device is called."""
    return torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {os.cpu_count()} cores"


if __name__ == "__main__":
    typer.run(main)
