"""What every job is: a checked value that does its work for a date."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from forecaster.spec import Spec
from pipelines.jobs.firing import Schedule
from pipelines.runs.fields import ModelName


def nothing() -> None:
    """What is left to do when there is nothing."""


@dataclass(frozen=True)
class Outcome:
    """What came of a job that has succeeded."""

    reason: str
    """A line for the ledger."""
    version: str | None = None
    """The model version that it made or used."""
    code: int = 0
    """The exit code of the command."""
    forget: Callable[[], None] = nothing
    """Removes what the job needs until the ledger knows of its end."""


@dataclass(frozen=True)
class Turn:
    """One attempt of a job."""

    as_of: str | None
    """Nothing later is read; None where no date was asked for, and all there is may be."""
    exclusive: Callable[[str], AbstractContextManager[None]]
    """Holds the promotion of a model, as long as this attempt is ours."""


class Job(Spec, ABC):
    """A job; unknown keys are refused."""

    name: ModelName = "forecaster"
    """Experiment and registered model."""
    schedule: Schedule | None = None
    """For a scheduler: when it is run, and how often it is tried."""

    @property
    def kind(self) -> str:
        """What the ledger calls it."""
        return type(self).__name__.lower()

    @abstractmethod
    def work(self, turn: Turn) -> Outcome:
        """Do it; done twice it is as if done once. Raises DataError on what a user can mend."""
