"""The one door to forecasts: the command line, MLflow and the service all ask here, of numbers and of labels."""

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from forecaster.artifact import Artifact
from forecaster.errors import DataError
from forecaster.models.labels import LabelModel
from pipelines.data.panel import Panel
from pipelines.forecasting.memory import Memory
from pipelines.forecasting.predict import TENTHS, Predictions, predict
from pipelines.forecasting.predict_labels import LabelPredictions, predict_labels
from pipelines.forecasting.readable import readable

MOST = 100_000_000
"""Values in all sample paths, which are held in memory."""


@dataclass(frozen=True)
class Question:
    """What is asked of every series. Raises DataError on what cannot be asked of any model."""

    horizon: int
    levels: tuple[float, ...] = TENTHS
    """Of the quantiles of numbers, ascending."""
    paths: int = 0
    """Joint sample paths of each series."""
    temperature: float = 1.0
    """Of the paths: at 0 each step is the likeliest label, or the median."""
    seed: int = 0
    """The same seed gives the same paths."""

    def __post_init__(self) -> None:
        if self.horizon < 1:
            raise DataError(f"a horizon of {self.horizon} steps", remedy="give 1 or more")
        if not self.levels or not all(0 < level < 1 for level in self.levels):
            raise DataError(
                f"quantiles {list(self.levels)}", remedy="give levels between 0 and 1, such as 0.1, 0.5, 0.9"
            )
        if self.paths < 0 or not 0 <= self.temperature < math.inf:
            raise DataError(
                f"{self.paths} paths at a temperature of {self.temperature:g}", remedy="give neither below 0"
            )


def ask(
    artifact: Artifact, panel: Panel, question: Question, memory: Memory | None = None
) -> Predictions | LabelPredictions:
    """Forecast every series of `panel`. Where they are in `memory`, it has no steps but those ahead.

    Raises DataError when the panel does not hold what the model reads, or when the model cannot do what is asked.
    """
    model, data = artifact.model, artifact.spec.data
    if data.whole is not None and question.horizon != 1:
        raise DataError(
            f"the model tells {data.whole.name!r} of each series once, and not for {question.horizon} steps",
            remedy="ask for a horizon of 1",
        )
    if panel.frequency.name != data.frequency:
        raise DataError(
            f"the frequency is {panel.frequency.name!r} and the model's is {data.frequency!r}",
            remedy=f"resample to {data.frequency!r}, or ask a model of {panel.frequency.name!r}",
        )
    if data.whole is None:
        panel.frequency.check(panel.start, panel.lengths + question.horizon, panel.zone, panel.ids, "horizon")
    if memory is None:
        readable(panel, model)
    sampling = question.paths, question.temperature, question.seed
    if (values := len(panel) * question.horizon * question.paths) > MOST:
        shape = f"{len(panel)} series x {question.horizon} steps x {question.paths} paths"
        raise DataError(
            f"{shape} are {values} values, more than {MOST}",
            remedy="ask for fewer paths, or for a part of the series",
        )
    if isinstance(model, LabelModel):
        return predict_labels(model, data, panel, question.horizon, *sampling, memory)
    return predict(artifact, panel, question.horizon, question.levels, *sampling, memory)


def check_names(levels: tuple[float, ...]) -> None:
    """Raises DataError on levels by which two columns of a table would have one name."""
    if len({f"{level:g}" for level in levels}) < len(levels):
        raise DataError(f"quantiles {list(levels)}", remedy="give levels that differ in six digits")


def answer_frame(artifact: Artifact, panel: Panel, question: Question) -> pd.DataFrame:
    """The forecasts as a table, in which what is told of whole series has no time.

    Raises what `ask` and `check_names` do.
    """
    check_names(question.levels)
    frame = ask(artifact, panel, question).frame()
    return frame if artifact.spec.data.whole is None else frame.drop(columns="ds")


def reading(artifact: Artifact, zone: str | None, duplicates: str, *, answers: bool = False) -> dict[str, Any]:
    """How a table is read as the artifact's training data was."""
    spec = artifact.spec.data
    return {
        "frequency": spec.frequency,
        "zone": zone or spec.zone,
        "known": tuple(column.name for column in spec.known),
        "past": tuple(column.name for column in spec.past),
        "static": tuple(column.name for column in spec.static),
        "duplicates": duplicates,
        "whole": spec.whole.name if answers and spec.whole is not None else None,
    }
