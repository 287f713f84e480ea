"""Which candidate wins: a single one, or the median of some; and why."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from forecaster.models.ensemble import Ensemble, pooled
from forecaster.spec import EnsembleSpec, SeasonalNaiveSpec
from pipelines.evaluation.backtest import Backtest
from pipelines.evaluation.contest import Saving, versus
from pipelines.recipes.recipe import Recipe
from pipelines.training.candidate import Candidate, Trained, held_out_loss
from pipelines.training.plan import Plan
from pipelines.training.stages import judged

WITNESSES = 5
"""Pairs of losses without which nothing is proven: fewer all point one way by chance more than once in twenty times."""
MUCH = 0.05
"""Share of the loss that has to be saved where nothing is proven, by so many pairs; by half as many twice the share."""
HALF = 0.5
"""Share of the whole loss that needs no proof to count as saved, if no part of it is larger: one far value can make
all models look alike on a part."""
HEDGE = 0.05
"""By which share an ensemble of several kinds of models may lose to one of a single kind and still be preferred: where
what comes is unlike what is held out, all models of a kind are wrong together."""


def combine(plan: Plan, candidates: list[Candidate]) -> Candidate | None:
    """The ensemble of candidates of numbers that is best, None where a single one is.

    Members are added greedily (Caruana et al. 2004, "Ensemble selection from libraries of models"), as many as have the
    smallest loss together, with a hedge. What repeats values is no member: networks are told these too, and leave such
    a member behind once they know more.
    """
    began = time.perf_counter()
    learned = [one for one in candidates if not isinstance(one.trained.recipe.model, SeasonalNaiveSpec)]
    known = [one for one in learned if np.isfinite(one.loss) and one.calibration is not None]
    parts = {one.name: [part for part in one.parts if isinstance(part, Backtest)] for one in known}
    if not all(parts.values()) or not parts:
        return None
    kinds, order = {one.name: one.trained.kinds for one in known}, list[str]()

    def together(names: list[str]) -> float:
        return _hedged(_loss_together(parts, names), frozenset().union(*(kinds[name] for name in names)))

    while len(order) < len(parts):
        order = min(([*order, name] for name in parts if name not in order), key=together)
    chosen = min((order[:count] for count in range(1, len(order) + 1)), key=together)
    if len(chosen) < 2:
        return None
    members = [one for one in learned if one.name in chosen]
    trained = tuple(one.trained for one in members)
    whole = Trained(
        name="ensemble",
        recipe=Recipe(
            summary=f"The median of {', '.join(one.name for one in trained)}.",
            model=EnsembleSpec(members=tuple(one.recipe.model for one in trained), median=True),
        ),
        model=Ensemble([one.model for one in trained], median=True),
        members=trained,
    )
    return judged(plan, whole, Ensemble([one.artifact.model for one in members], median=True), began)


def _loss_together(parts: Mapping[str, Sequence[Backtest]], names: list[str]) -> float:
    """The loss of the median of some forecasts on what is held out."""
    return held_out_loss([_median(told) for told in zip(*(parts[name] for name in names), strict=True)])


def _median(told: Sequence[Backtest]) -> Backtest:
    forecast = pooled([one.forecast for one in told], median=True)
    return replace(told[0], forecast=replace(forecast, quantiles=told[0].support.nearest(forecast.quantiles)))


def _hedged(loss: float, kinds: frozenset[str]) -> float:
    """The loss of models of one kind, and a little less than that of several."""
    return loss if len(kinds) == 1 else (1 - HEDGE) * loss


def _hedges(one: Candidate, other: Candidate) -> bool:
    """Whether one has what the other is and more kinds, for hardly more loss."""
    kinds = one.trained.kinds
    return other.trained.kinds < kinds and _hedged(one.loss, kinds) <= other.loss


def choose(plan: Plan, candidates: list[Candidate]) -> Candidate:
    """The candidate with the smallest loss on what is held out, of those that beat every null model, and these.

    Where nothing is to be learned, as of a random walk, nothing can be better, and of a few origins something always
    seems to be. So a null model is beaten only by what is better beyond doubt, on the test and on all that is held out,
    or saves much of its loss on each part, or half of it on all. Of the others none is left that is hedged. Where
    nothing could be tested it is the first.
    """
    known = [one for one in candidates if np.isfinite(one.loss)]
    if not known or plan.split.test is None:
        return candidates[0]
    null = [one for one in known if one.trained.recipe.null_model]

    def enough(saving: Saving) -> bool:
        return saving.share >= MUCH * max(1.0, WITNESSES / max(1, saving.pairs))

    def beats(one: Candidate, other: Candidate) -> bool:
        parts = list(zip(one.parts, other.parts, plan.split.judges, strict=True))
        *before, test = (versus(part) for part in parts)
        if test.pairs >= WITNESSES and test.low > 0 and versus(*parts).low > 0:
            return True
        savings = [test, *(saving for saving in before if saving.pairs)]
        halved = one.loss < HALF * other.loss and all(saving.share >= 0 for saving in savings)
        return halved or all(map(enough, savings))

    standing = [one for one in known if one.trained.recipe.null_model or all(beats(one, other) for other in null)]
    kept = [one for one in standing if not any(_hedges(other, one) for other in standing)]
    return min(kept, key=lambda one: one.loss)


def why(winner: Candidate, candidates: Sequence[Candidate]) -> str:
    """What the winner is and by how much it won: over the next, and over the best of those that learn nothing."""
    what = winner.trained.recipe.summary
    others = sorted((one for one in candidates if one is not winner and one.loss > 0), key=lambda one: one.loss)
    if winner.test is None:
        return f"{what} Too little could be held out: nothing was tested."
    if not np.isfinite(winner.loss):
        return f"{what} What was held out tells of none how good it is."
    if not others:
        return what
    if (best := others[0]).loss < winner.loss:
        smaller = f"{what} The loss of {best.name} is {1 - best.loss / winner.loss:.1%} smaller"
        if _hedges(winner, best):
            return f"{smaller}, which is too little to trust one kind of model alone."
        null = " and ".join(one.name for one in candidates if one.trained.recipe.null_model)
        return f"{smaller}, but it does not beat {null} beyond doubt, nor by enough on each part held out."
    simple = next((one for one in others if _learns_nothing(one)), best)
    beaten = [one for one in others if one is best or one is simple]
    saved = [f"{1 - winner.loss / one.loss:.1%} below that of {one.name}" for one in beaten]
    return f"{what} Its loss on what was held out is {' and '.join(saved)}."


def _learns_nothing(one: Candidate) -> bool:
    return one.trained.recipe.null_model or isinstance(one.trained.recipe.model, SeasonalNaiveSpec)
