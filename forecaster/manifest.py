"""What an artifact says of itself: the data, the question, the model and what it has learned from. No torch."""

from typing import Literal

from pydantic import Field

from forecaster.spec import FitSpec, ModelSpec, Spec, Task

ROUNDING = 1e-12
"""Share of the mean of a column, up to which differences are rounding."""


class Covariate(Spec):
    """A numeric column and what it is standardised by."""

    name: str
    mean: float = 0.0
    deviation: float = Field(1.0, ge=0)

    @property
    def still(self) -> bool:
        """Whether the column never moved in training: nothing was learned of it, and whatever it is it reads as 0."""
        return self.deviation <= ROUNDING * abs(self.mean)


class Category(Spec):
    """A column of categories; code 0 is what was not seen in training, the others count from 1."""

    name: str
    values: tuple[str, ...]


class DataSpec(Spec):
    """What the series of a model are like, and how they become tensors."""

    frequency: str
    zone: str | None = None
    known: tuple[Covariate, ...] = ()
    past: tuple[Covariate, ...] = ()
    static: tuple[Category, ...] = ()
    labels: tuple[str, ...] = ()
    """The vocabulary of what is told, whose codes count from 0; empty for numbers."""
    whole: Covariate | None = None
    """The column that is told of whole series; without one the next steps of the series are."""
    end: str | None = None
    """The label that ends a series."""
    positive: bool = False
    """Whether no value was ever below zero; then no forecast of a series without one is."""
    integral: bool = False
    """Whether every value was whole; then quantiles and paths of a series of whole values are."""
    calendar: tuple[str, ...] = ()
    """Features of the local calendar that follow the known covariates."""

    @property
    def steps(self) -> tuple[str, ...]:
        """The vocabulary of the steps that are read; empty for numbers."""
        return self.labels if self.whole is None else ()


class Training(Spec):
    """What the model has seen."""

    series: int
    observations: int
    start: str | None
    until: str | None
    """Last time in the training data, ISO 8601 in the local zone, or the integer step."""
    digest: str
    """SHA-256 of the data."""


class ArtifactSpec(Spec):
    """Everything about a trained model but its weights and its calibration."""

    format: Literal[1] = 1
    candidate: str
    """Name of the recipe it was trained by."""
    data: DataSpec
    task: Task
    model: ModelSpec
    fit: FitSpec | None = None
    training: Training
    packages: dict[str, str]
