"""What all candidates of a job share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forecaster.manifest import DataSpec
from forecaster.spec import FitSpec, Task
from pipelines.data.panel import Panel
from pipelines.evaluation.split import Split
from pipelines.training.fitting import Point

RESERVE = 0.85
"""Share of the budget that is planned for; the rest is for backtests and logging."""
REFIT = 0.6
"""Length of the later trainings, before the test and on all data, in units of the first one, at most."""

Report = Callable[[str, FitSpec, Point], None]
"""Told of every epoch: the candidate, how it is trained and how far it is."""


@dataclass(frozen=True)
class Plan:
    """What all candidates of a job share."""

    panel: Panel
    split: Split
    data: DataSpec
    task: Task
    seed: int
    budget: float
    """Seconds that the candidates may take in all, and as many a search before them."""
    seconds: float
    """What the training of one network may take."""
    folder: Path
    """Where the work is kept: the same job again goes on where it stopped."""
    report: Report
    updates: int | None = None
    """Of the training of one network, however long they take."""
