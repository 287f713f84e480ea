"""A recipe that was trained, and how it did on what was held out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from forecaster.artifact import Artifact
from forecaster.errors import DataError
from forecaster.model import Model
from forecaster.spec import FitSpec
from pipelines.evaluation.scores import Scores
from pipelines.recipes.recipe import Recipe
from pipelines.training.fitting import Point

LITTLE = 0.01
"""Share of the loss on one part that the loss on the other is taken for at least, when candidates are compared."""


@dataclass(frozen=True)
class Trained:
    """A recipe that was trained on the first part of the data, and stopped early by the next."""

    name: str
    recipe: Recipe
    model: Model
    fit: FitSpec | None = None
    curve: tuple[Point, ...] = ()
    start: Model | None = None
    """The model as it was before, if it was trained by gradient descent."""
    members: tuple["Trained", ...] = ()
    """Those of an ensemble."""

    @property
    def cut_short(self) -> str | None:
        """By how much, where the budget allowed for fewer updates than the recipe asks for."""
        if self.fit is None or self.recipe.fit is None or self.fit.updates == self.recipe.fit.updates:
            return None
        return f"{self.name} at {self.fit.updates} of {self.recipe.fit.updates} updates"

    @property
    def kinds(self) -> frozenset[str]:
        """Of its members, or its own."""
        return frozenset(one.recipe.model.kind for one in self.members or [self])


@dataclass(frozen=True)
class Candidate:
    """A recipe that was trained again on what there was before the test, if that is more, and how it did there."""

    trained: Trained
    artifact: Artifact
    calibration: Scores | None
    """How it did after the first training, as it was, on what calibrates; None where nothing is held out for that."""
    test: Scores | None
    """None where no series is long enough to hold anything out."""
    seconds: float
    seen: bool = False
    """Whether what it may have started from has seen what calibrates."""

    @property
    def name(self) -> str:
        """What it is called."""
        return self.trained.name

    @property
    def parts(self) -> tuple[Scores, ...]:
        """How it did on what it is compared by (`Split.judges`)."""
        return tuple(part for part in (None if self.seen else self.calibration, self.test) if part is not None)

    @property
    def loss(self) -> float:
        """What candidates are compared by."""
        return held_out_loss(self.parts)


def held_out_loss(parts: Sequence[Scores]) -> float:
    """The geometric mean of the losses on what calibrates and on the test, so that neither decides by itself.

    Of few series the test is a few days, and what is best there often has the best luck; on what calibrates, networks
    that have stopped by it look a little too good. Each counts as `LITTLE` of the other at least: where nothing moved,
    nothing is lost. NaN where nothing is known of the test; where that is so of what calibrates, the test decides.
    """
    *before, test = (part.loss for part in parts) if parts else (math.nan,)
    losses = [*(loss for loss in before if not math.isnan(loss)), test]
    return math.prod(max(loss, LITTLE * max(losses)) for loss in losses) ** (1 / len(losses))


def remaining(attempts: Sequence[Candidate | DataError]) -> list[Candidate]:
    """The candidates that there are; raises the first error where there is none."""
    found = [one for one in attempts if isinstance(one, Candidate)]
    if not found:
        raise next(one for one in attempts if isinstance(one, DataError))
    return found
