"""What every backtest tells, of numbers or of labels: the trainer, the logbook and the screen see only this."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Self

import pandas as pd
from jaxtyping import Float64, Int64
from matplotlib.figure import Figure
from numpy import ndarray

from forecaster.conformal import Calibrator
from forecaster.paths import Dependence


class Scores(ABC):
    """How good forecasts from held-out origins were; lower is better where it is called a loss or an error."""

    criterion: ClassVar[str]
    """The metric by which candidates are compared."""
    shown: ClassVar[tuple[str, ...]]
    """The metrics that a person sees side by side."""

    @classmethod
    @abstractmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The same scores of all rows of several parts."""

    @property
    @abstractmethod
    def loss(self) -> float:
        """The criterion; NaN where nothing is known."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """Every score in one number, NaN where nothing is known."""

    def miscovered(self) -> float:
        """By how much the share of values inside 80 % intervals is off; NaN where there are no intervals.

        Of whole numbers too large a share is none: the ends belong to an interval, and one of few numbers cannot hold
        less.
        """
        return math.nan

    @abstractmethod
    def by_step(self) -> dict[str, Float64[ndarray, "horizon"]]:
        """Scores of each step ahead; candidates are drawn side by side in the first."""

    @abstractmethod
    def by_row(self) -> dict[str, Float64[ndarray, "origins"]]:
        """Scores of each series and origin; the first, of which the loss is the mean, ranks them."""

    @abstractmethod
    def figures(self) -> dict[str, Figure]:
        """Pictures of all rows together, by name."""

    @abstractmethod
    def picture(
        self,
        row: int,
        history: Float64[ndarray, "context"],
        times: pd.DatetimeIndex | Int64[ndarray, "steps"],
        title: str,
    ) -> Figure:
        """One forecast after a history and over what came; the times are those of both."""

    @abstractmethod
    def residuals(self) -> tuple[Calibrator | None, Dependence]:
        """What calibrates forecasts by these, if there is anything to calibrate, and how their errors go on."""
