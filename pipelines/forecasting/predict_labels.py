"""From a panel of labels to their probabilities and to paths."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from forecaster.manifest import DataSpec
from forecaster.model import Carry
from forecaster.models.labels import LabelModel
from pipelines.batches.histories import at_the_end
from pipelines.clock.frequency import Frequency
from pipelines.data.panel import Panel
from pipelines.data.vocabulary import words
from pipelines.forecasting.memory import Memory

SERIES = 128
"""Series that are forecast side by side: each needs as many lanes as it has paths."""


@dataclass(frozen=True)
class LabelPredictions:
    """Forecasts of a panel of labels, from the step after each series' last."""

    ids: ndarray
    start: Int64[ndarray, "series"]
    frequency: Frequency
    zone: str | None
    labels: tuple[str, ...]
    end: str | None
    probabilities: Float64[ndarray, "series horizon labels"]
    codes: Int64[ndarray, "series paths horizon"]
    """Joint paths; one that has reached the label `end` stays there."""

    def label(self) -> ndarray:
        """The likeliest label of each step [series, horizon]."""
        return words(self.probabilities.argmax(-1).astype(np.float64), self.labels)

    def paths(self) -> ndarray:
        """The paths in words [series, paths, horizon], None after the label `end`."""
        codes = self.codes.astype(np.float64)
        if self.end is not None:
            ended = self.codes == self.labels.index(self.end)
            codes[ended.cumsum(-1) > 1] = np.nan
        return words(codes, self.labels)

    def frame(self) -> pd.DataFrame:
        """One row per series and step: unique_id, ds, label, p.<label> for each label, and path.<k> for each path."""
        series, horizon, _ = self.probabilities.shape
        steps = np.tile(np.arange(horizon), series)
        times = self.frequency.advance(np.repeat(self.start, horizon), steps, self.zone)
        columns = {
            "unique_id": np.repeat(self.ids, horizon),
            "ds": self.frequency.stamps(times, self.zone),
            "label": self.label().ravel(),
        }
        columns |= {f"p.{label}": self.probabilities[..., k].ravel() for k, label in enumerate(self.labels)}
        paths = self.paths()
        return pd.DataFrame(columns | {f"path.{k + 1}": paths[:, k].ravel() for k in range(paths.shape[1])})


def predict_labels(
    model: LabelModel,
    data: DataSpec,
    panel: Panel,
    horizon: int,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    memory: Memory | None = None,
) -> LabelPredictions:
    """Probabilities of the next `horizon` steps of every series, and joint paths at a temperature.

    The same question has the same answer: the paths are drawn by a generator that is new each time. Raises DataError
    when the panel holds numbers or does not have the covariates that the model needs.
    """
    generator = torch.Generator().manual_seed(seed)

    def ask(carry: Carry, known: Tensor) -> tuple[Tensor, ...]:
        chances = model.forecast(carry, horizon, known).probabilities
        return chances, model.paths(carry, horizon, known, count=paths, temperature=temperature, generator=generator)

    probabilities, codes = at_the_end(
        model, data, panel, horizon, ask, None if memory is None else memory.carry, side_by_side=SERIES
    )
    return LabelPredictions(
        panel.ids,
        panel.ends(),
        panel.frequency,
        panel.zone,
        data.labels,
        data.end,
        probabilities.numpy(),
        codes.numpy(),
    )
