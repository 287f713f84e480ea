"""What every job is: a checked value that does its work for a date."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from forecaster.spec import Spec
from pipelines.clock.zone import zone_info
from pipelines.fields import ModelName
from pipelines.jobs.firing import Schedule

Settings = TypeVar("Settings", bound=Spec)


def nothing() -> None:
    """Do nothing."""


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
    key: str
    """Of the job and its date, the same in each attempt."""
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

    def today(self) -> str:
        """The date for which it is done where none is asked for: in the zone that it names, else in UTC."""
        zone: str | None = getattr(self, "zone", None)
        return datetime.now(zone_info(zone) if zone else UTC).date().isoformat()

    def settings(self, kind: type[Settings], turn: Turn) -> Settings:
        """Those of this kind among its own, for the date of the turn."""
        told = {name: getattr(self, name) for name in kind.model_fields}
        return kind.model_validate(told | ({"as_of": turn.as_of} if turn.as_of is not None else {}))

    @abstractmethod
    def work(self, turn: Turn) -> Outcome:
        """Do it; done twice it is as if done once. Raises DataError on what a user can mend."""
