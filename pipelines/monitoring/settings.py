"""What a monitoring job is told, as one frozen, checked value."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from forecaster.spec import Spec
from pipelines.fields import ModelName, Text, ZoneName
from pipelines.sources.source import Source


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
    name: ModelName = "forecaster"
    group: str | None = None
    """A static column by which series are judged together; each for itself without one."""
    days: int = Field(28, ge=1)
    """So many days of forecasts are judged, and eight horizons at least."""
    versions: Literal["champion", "all"] = "champion"
    """Whose forecasts are judged: for who retrains every night, those of one version are too few."""
    zone: ZoneName = None
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
