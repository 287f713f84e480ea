"""What jobs that train are told, each as one frozen, checked value."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from forecaster.spec import Spec
from pipelines.fields import Duration, ModelName, Text, ZoneName
from pipelines.sources.source import Source


class Effort(Spec):
    """How long networks learn, and from which seed."""

    budget: Duration = Field(300.0, gt=0)
    """Seconds that training may take in all."""
    updates: int | None = Field(None, ge=1)
    """Those of each network, whatever the budget: the same seed then gives the same model."""
    seed: int = Field(0, ge=0)

    @property
    def idle(self) -> set[str]:
        """What says nothing beside the other: the budget where updates are given, and else these."""
        return {"budget" if self.updates else "updates"}


class TrainSettings(Effort):
    """A training job."""

    source: Source
    horizon: int | None = Field(None, ge=1, le=10_000)
    """Steps to forecast; none for whole series."""
    target_kind: Literal["step", "series"] = "step"
    """Whether the next steps are to be told, or one thing of each series."""
    target: str | None = None
    """The column of what is to be told of whole series."""
    frequency: str | None = None
    season: int | None = Field(None, ge=1)
    zone: ZoneName = None
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    duplicates: str = "error"
    end: str | None = None
    """The label that ends a series."""
    as_of: Text | None = None
    """The last time that is read: a date is its first moment; an integer where steps are counted."""
    recipes: tuple[str, ...] = ()
    """Candidates; none stand for those that suit the data."""
    search: int = Field(0, ge=0, le=10_000)
    """Further recipes that are searched, in half of the budget."""
    name: ModelName = "forecaster"

    @model_validator(mode="after")
    def _one_target(self) -> "TrainSettings":
        if self.target_kind == "series" and (self.target is None or self.horizon is not None):
            raise ValueError("the target kind series has a target, which is a column, and no horizon")
        if self.target_kind == "step" and (self.horizon is None or self.target is not None):
            raise ValueError("give a horizon, or the target kind series with a target, which is a column")
        return self


class FillSettings(Effort):
    """A job that fills gaps."""

    source: Source
    out: Path
    season: int | None = Field(None, ge=1)
    zone: ZoneName = None
    duplicates: str = "error"
    recipe: str = "bidirectional"
    budget: Duration = Field(60.0, gt=0)
    name: ModelName = "forecaster"
