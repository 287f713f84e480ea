"""How far back the gradient of a trained model reaches in real series: numbers, a table and a figure."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64
from numpy import ndarray

from forecaster.errors import DataError
from forecaster.gradients import GONE, core_parts, norms, reach
from forecaster.manifest import DataSpec
from forecaster.model import Model
from pipelines.batches.windows import Table
from pipelines.champion.load import live, panel_for
from pipelines.data.panel import Panel
from pipelines.evaluation import figures
from pipelines.sources.source import Source, source
from pipelines.tracking.run import Run

SERIES = 256
"""Series over which a gradient is averaged at most."""
ROWS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500)
"""Steps back that are printed, beside the last."""


@dataclass(frozen=True)
class Decay:
    """Norms of d loss_T / d state_{T-k} for each part of the core's state, averaged over series."""

    norms: dict[str, Float64[ndarray, "back"]]
    """At k = 1, 2, ... recurrent steps back."""
    series: int
    stride: int
    """Observations that a recurrent step reads."""

    @property
    def shares(self) -> dict[str, Float64[ndarray, "back"]]:
        """The norms in units of that one step back."""
        return {name: norm / norm[0] for name, norm in self.norms.items()}

    @property
    def reach(self) -> dict[str, int | None]:
        """The first step back at which the gradient counts as gone; None where it lives to the end."""
        return {name: reach(norm) for name, norm in self.norms.items()}

    def __str__(self) -> str:
        """The shares at some of the steps back, and the reach."""
        table = pd.DataFrame(self.shares)
        table.index = pd.RangeIndex(1, len(table) + 1, name="steps back")
        last = len(table)
        shown = table.loc[[*(k for k in ROWS if k < last), last]].rename_axis(columns="steps back", index=None)
        gone = ", ".join(f"{name} {f'> {last}' if back is None else back}" for name, back in self.reach.items())
        return (
            f"{shown.to_string(float_format='{:.2e}'.format)}\n"
            f"under {GONE:.0%} at step back: {gone}\n"
            f"mean of {self.series} series; a recurrent step reads {self.stride} observations"
        )


def gradients(
    data: Source | str | Path,
    steps: int,
    *,
    name: str,
    model: str | None = None,
    zone: str | None = None,
    duplicates: str = "error",
) -> Decay:
    """Measure on a file, and keep it as a run in MLflow. Raises DataError on a model without a recurrent state."""
    artifact = live(name, model)
    panel = panel_for(artifact, data, zone, duplicates, answers=True)
    decay = measure(artifact.model, artifact.spec.data, panel, steps)
    with Run.start(name, "gradients") as run:
        run.params({"candidate": artifact.spec.candidate, "model": model or "champion", "series": decay.series})
        run.dataset(panel, source(data).name, "gradients")
        run.by_step({f"gradient.{part}": norm for part, norm in decay.norms.items()})
        run.metrics({f"reach.{part}": back for part, back in decay.reach.items() if back is not None})
        run.figure(figures.fading(decay.shares, GONE), "gradients.png")
    return decay


def measure(model: Model, data: DataSpec, panel: Panel, steps: int) -> Decay:
    """The gradient of the last loss of each series, over up to `steps` recurrent steps of its latest history.

    The last loss has a whole horizon of values after it. At least half of the series have as long a history as the
    gradient is followed back; the others are left out.
    """
    names = core_parts(model)
    segments = (panel.lengths - model.horizon) // model.stride
    count = min(steps, int(np.median(segments)))
    if count < 1:
        enough = model.horizon + model.stride
        raise DataError("most series are too short for a loss", remedy=f"give {enough} observations or more of each")
    long = np.flatnonzero(segments >= count)
    series = long[np.linspace(0, len(long) - 1, min(SERIES, len(long))).astype(np.int64)]
    table, first = Table(panel, data), panel.lengths[series] - model.horizon - count * model.stride
    stretch = [
        table.gather(series, first + k * model.stride, model.stride, model.horizon, reset=False) for k in range(count)
    ]
    # The loss is a mean over the series: the sum of their shares in its gradient is the mean of their gradients.
    found = norms(model.loss, model.start(len(series), model.stride), stretch, names)
    mean = {part.replace("core.", ""): norm.sum(0).numpy() for part, norm in found.items()}
    if not all(norm[0] > 0 for norm in mean.values()):
        raise DataError("the loss does not depend on the state", remedy="train for longer, on series that move")
    return Decay(mean, len(series), model.stride)
