"""What a job is told, as one frozen, checked value."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from forecaster.spec import Spec
from pipelines.sources.source import Source

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds(text: object) -> object:
    """A duration such as 90s, 5m, 1.5h or a number of seconds.

    >>> seconds("1.5m")
    90.0
    """
    if isinstance(text, str) and (match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)):
        return float(match[1]) * UNITS[match[2] or "s"]
    return text


def text(value: object) -> object:
    """YAML reads 2026-11-21 as a date and 7 as a number, where words are meant."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(text)]


def model_name(text: str) -> str:
    """A name that MLflow, a file system and a URL all take."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError("a name has letters, digits, dot, dash and underscore, and starts with a letter or a digit")
    return text


class TrainSettings(Spec):
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
    zone: str | None = None
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
    budget: Annotated[float, BeforeValidator(seconds)] = Field(300.0, gt=0)
    """Seconds that training may take in all."""
    seed: int = Field(0, ge=0)
    name: Annotated[str, AfterValidator(model_name)] = "forecaster"

    @model_validator(mode="after")
    def _one_target(self) -> "TrainSettings":
        if self.target_kind == "series" and (self.target is None or self.horizon is not None):
            raise ValueError("a target of whole series has a column and no horizon: give --target and no --horizon")
        if self.target_kind == "step" and (self.horizon is None or self.target is not None):
            raise ValueError("give --horizon, or --target-kind series with --target")
        return self


class FillSettings(Spec):
    """A job that fills gaps."""

    source: Source
    out: Path
    season: int | None = Field(None, ge=1)
    zone: str | None = None
    duplicates: str = "error"
    recipe: str = "bidirectional"
    budget: Annotated[float, BeforeValidator(seconds)] = Field(60.0, gt=0)
    """Seconds that training may take."""
    seed: int = Field(0, ge=0)
    name: Annotated[str, AfterValidator(model_name)] = "forecaster"


class Limits(Spec):
    """How much worse than promised is too much."""

    risk: float = Field(0.01, gt=0, lt=0.5)
    """How likely an alarm may be while all is well, over all rules and groups of a run together."""
    error: float = Field(0.25, ge=0)
    """Share by which the error may be above what the backtest promised."""
    naive: float = Field(0.05, ge=0)
    """Share by which it may be above that of seasonal naive."""
    coverage: float = Field(0.05, ge=0, lt=0.5)
    """By how much the coverage of the 80 % interval may miss both that and what the backtest promised."""
    drift: float = Field(1.0, gt=0)
    """How far, in deviations of its series, a value may have moved on average since training."""
    missing: float = Field(0.1, ge=0, lt=1)
    """By how much the share of actual values that have not come may be above that in training."""


class MonitorSettings(Spec):
    """A job that holds kept forecasts against what came."""

    forecasts: Path
    """A folder of kept forecasts, or a Parquet file of a batch."""
    source: Source
    """What came, with its past as in training."""
    name: Annotated[str, AfterValidator(model_name)] = "forecaster"
    group: str | None = None
    """A static column by which series are judged together; each for itself without one."""
    days: int = Field(28, ge=1)
    """So many days of forecasts are judged, and eight horizons at least."""
    versions: Literal["champion", "all"] = "champion"
    """Whose forecasts are judged: for who retrains every night, those of one version are too few."""
    zone: str | None = None
    duplicates: str = "error"
    as_of: Text | None = None
    """The last time of the values that are read."""
    limits: Limits = Limits()
    webhook: str | None = None
    """Told of breaches; `${VARIABLE}` stands for one of the environment, which is read when it is called."""
    report: Path | None = None
    """An HTML file for a person."""
    metrics: Path | None = None
    """A .prom file for the textfile collector of node_exporter."""
