"""How good forecasts of labels were: the log loss, and how often the likeliest label came."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int64
from matplotlib.figure import Figure
from numpy import ndarray

from forecaster.metrics import mean_known
from forecaster.paths import CAUTIOUS, Dependence
from pipelines.evaluation import figures
from pipelines.evaluation.scores import Scores

RAREST = 1e-6
"""A probability below this one counts as this one, so that a single surprise cannot decide."""


@dataclass(frozen=True)
class LabelBacktest(Scores):
    """Probabilities from held-out origins, and the codes of what came after; one outside the vocabulary is unknown."""

    criterion: ClassVar[str] = "log_loss"
    shown: ClassVar[tuple[str, ...]] = ("log_loss", "accuracy")

    probabilities: Float64[ndarray, "origins horizon labels"]
    actual: Float64[ndarray, "origins horizon"]
    labels: tuple[str, ...]

    @classmethod
    def joined(cls, parts: Sequence["LabelBacktest"]) -> "LabelBacktest":
        probabilities = np.concatenate([part.probabilities for part in parts])
        return cls(probabilities, np.concatenate([part.actual for part in parts]), parts[0].labels)

    @property
    def loss(self) -> float:
        return self.metrics()["log_loss"]

    def metrics(self) -> dict[str, float]:
        return {name: float(mean_known(cells.reshape(1, -1))[0]) for name, cells in self._cells().items()}

    def by_step(self) -> dict[str, Float64[ndarray, "horizon"]]:
        return {name: mean_known(cells.T) for name, cells in self._cells().items()}

    def by_row(self) -> dict[str, Float64[ndarray, "origins"]]:
        return {name: mean_known(cells) for name, cells in self._cells().items()}

    def figures(self) -> dict[str, Figure]:
        return {}

    def picture(
        self,
        row: int,
        history: Float64[ndarray, "context"],
        times: pd.DatetimeIndex | Int64[ndarray, "steps"],
        title: str,
    ) -> Figure:
        return figures.chances(history, self.actual[row], self.probabilities[row], self.labels, times, title)

    def residuals(self) -> tuple[None, Dependence]:
        """None: trained by the log loss, a model of labels states its probabilities, and those of its paths, itself."""
        return None, CAUTIOUS

    def _cells(self) -> dict[str, Float64[ndarray, "origins horizon"]]:
        """The scores of each value, NaN where it is not known."""
        known = self._known()
        codes = np.where(known, self.actual, 0).astype(np.int64)
        came = np.take_along_axis(self.probabilities, codes[..., None], -1)[..., 0]
        right = self.probabilities.argmax(-1) == codes
        return {
            "log_loss": np.where(known, -np.log(np.maximum(came, RAREST)), np.nan),
            "accuracy": np.where(known, right, np.nan),
        }

    def _known(self) -> Bool[ndarray, "origins horizon"]:
        return np.asarray((self.actual >= 0) & (self.actual < len(self.labels)))
