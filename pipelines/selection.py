"""Which candidate wins: a single one, or the median of some."""

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from forecaster.ensemble import Ensemble, pooled
from forecaster.spec import EnsembleSpec, SeasonalNaiveSpec
from pipelines.backtest import Backtest
from pipelines.contest import versus
from pipelines.plan import Plan
from pipelines.recipe import Recipe
from pipelines.train import Candidate, Trained, judged

WITNESSES = 5
"""Pairs of losses that can prove something: fewer all point one way by chance more often than once in twenty times."""
MUCH = 0.05
"""Share of the loss that so many are believed to save without a proof; of fewer it takes proportionally more."""


def combine(plan: Plan, candidates: list[Candidate]) -> Candidate | None:
    """The ensemble of candidates of numbers that is best, None where a single one is.

    Members are added greedily by what they were calibrated on (Caruana et al. 2004, "Ensemble selection from libraries
    of models"). Networks have stopped early by the same data and look too good there, so the test says how many. What
    repeats values is no member: networks are told these too, and leave such a member behind once they know more.
    """
    began = time.perf_counter()
    learned = [one for one in candidates if not isinstance(one.trained.recipe.model, SeasonalNaiveSpec)]
    alone = {one.name: one.test for one in learned if isinstance(one.test, Backtest)}
    earlier = {one.name: one.calibration for one in learned if isinstance(one.calibration, Backtest)}
    if not alone or not earlier:
        return None
    order: list[str] = []
    while len(order) < len(alone):
        order = min(([*order, name] for name in alone if name not in order), key=partial(_loss_together, earlier))
    chosen = min((order[:count] for count in range(1, len(order) + 1)), key=partial(_loss_together, alone))
    if len(chosen) < 2:
        return None
    members = [one for one in learned if one.name in chosen]
    trained = tuple(one.trained for one in members)
    together = Trained(
        name="ensemble",
        recipe=Recipe(
            summary=f"The median of {', '.join(one.name for one in trained)}.",
            model=EnsembleSpec(members=tuple(one.recipe.model for one in trained), median=True),
        ),
        model=Ensemble([one.model for one in trained], median=True),
        members=trained,
    )
    return judged(plan, together, Ensemble([one.artifact.model for one in members], median=True), began)


def _loss_together(tests: Mapping[str, Backtest], names: list[str]) -> float:
    """The loss of the median of some forecasts."""
    told = [tests[name] for name in names]
    return replace(told[0], forecast=pooled([test.forecast for test in told], median=True)).loss


def choose(plan: Plan, candidates: list[Candidate]) -> Candidate:
    """The candidate with the smallest loss on the test, of those that beat every null model, and the null models.

    Where nothing is to be learned, as of a random walk, nothing can be better, and of a few origins something always
    seems to be. So a null model is beaten only by what saves much of its loss on the test and, though it may have
    stopped by that, on what calibrates, or is better beyond doubt and was not much worse there. Where nothing could be
    tested it is the first.
    """
    known = [one for one in candidates if np.isfinite(one.loss)]
    if not known or plan.split.test is None:
        return candidates[0]
    held_out = plan.split.test
    null = [one for one in known if one.trained.recipe.null_model]

    def beats(one: Candidate, other: Candidate) -> bool:
        assert one.test is not None
        assert other.test is not None
        saving = versus(one.test, other.test, held_out)
        much = MUCH * max(1.0, WITNESSES / max(1, saving.pairs))
        proven = saving.low > 0 and saving.pairs >= WITNESSES
        limit = 1 + MUCH if proven else 1 - much
        if one.calibration and other.calibration and one.calibration.loss > limit * other.calibration.loss:
            return False
        return proven or saving.share >= much

    standing = [one for one in known if one.trained.recipe.null_model or all(beats(one, other) for other in null)]
    return min(standing, key=lambda one: one.loss)
