"""A job puts candidates together where that helps, and the whole is one artifact."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from torch import Tensor

from forecaster.artifact import load_artifact, save
from forecaster.models.ensemble import Ensemble
from forecaster.models.pointwise import SeasonalNaive, Seen
from forecaster.spec import EnsembleSpec, FitSpec
from pipelines.data.doors import panel_from_series
from pipelines.evaluation.backtest import Backtest, backtest
from pipelines.evaluation.contest import versus
from pipelines.evaluation.scores import Scores
from pipelines.evaluation.split import split
from pipelines.forecasting.predict import predict
from pipelines.recipes.recipe import Recipe
from pipelines.training.candidate import Candidate, Trained
from pipelines.training.job import Result
from pipelines.training.plan import Plan
from pipelines.training.prepare import prepare
from pipelines.training.screen import table
from pipelines.training.selection import choose, combine, why
from pipelines.training.settings import TrainSettings
from pipelines.training.stages import candidate, refit

NAIVE = Recipe.model_validate({"summary": "", "model": {"kind": "seasonal_naive"}})
WALK = NAIVE.model_copy(update={"null_model": True})
LINEAR = Recipe.model_validate({"summary": "", "model": {"kind": "linear"}})
THETA = Recipe.model_validate({"summary": "", "model": {"kind": "theta"}})


class Biased(SeasonalNaive):
    """Off by a constant."""

    bias: float = 0.0

    def point(self, seen: Seen) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch"]]:
        mean, scale = super().point(seen)
        return mean + self.bias, scale


class Wild(SeasonalNaive):
    """Far off for the series of one level."""

    level: float = 0.0

    def point(self, seen: Seen) -> tuple[Float64[Tensor, "batch horizon"], Float64[Tensor, "batch"]]:
        mean, scale = super().point(seen)
        return mean + 9.0 * (seen.target.nanmean(1, keepdim=True).round() == self.level), scale


class Losses(Scores):
    """Scores of which only the losses by row are told."""

    def __init__(self, losses: np.ndarray) -> None:
        self.losses = losses

    @property
    def loss(self) -> float:
        return float(self.losses.mean())

    def by_row(self) -> dict[str, np.ndarray]:
        return {"loss": self.losses}


Losses.__abstractmethods__ = frozenset()


def scores(losses: np.ndarray) -> Scores:
    """Of which only the losses by row are told."""
    return Losses(losses)  # type: ignore[abstract]


def plan(home: Path, length: int = 120) -> Plan:
    """A job on series that repeat exactly, with a little noise."""
    noise = np.random.default_rng(0).normal(0, 0.01, (4, length))
    target = 10 + np.arange(4)[:, None] + 3 * np.sin(np.arange(length) * np.pi / 3) + noise
    panel = panel_from_series([f"s{i}" for i in range(4)], [0] * 4, target.tolist(), "step")
    return prepare(TrainSettings(source=home / "none.csv", horizon=6, season=6, budget=20), panel, {})


def biased(plan: Plan, name: str, bias: float) -> Candidate:
    model = Biased(horizon=6, season=6)
    model.bias = bias
    return instead(plan, name, model)


def wild(plan: Plan, name: str, level: float) -> Candidate:
    model = Wild(horizon=6, season=6)
    model.level = level
    return instead(plan, name, model)


def instead(plan: Plan, name: str, model: SeasonalNaive) -> Candidate:
    """A candidate with another model than it was trained with."""
    one, parts = candidate(plan, name, LINEAR), plan.split
    assert parts.calibrate is not None
    assert parts.test is not None
    calibration, test = (backtest(model, plan.data, 6, part) for part in (parts.calibrate, parts.test))
    trained, artifact = replace(one.trained, model=model), replace(one.artifact, model=model)
    return replace(one, trained=trained, artifact=artifact, calibration=calibration, test=test)


def test_members_whose_errors_cancel_are_put_together(home: Path) -> None:
    made = plan(home)
    high, low, far = biased(made, "high", 1.0), biased(made, "low", -1.1), biased(made, "far", 9.0)
    together = combine(made, [far, high, low])
    assert together is not None
    assert [one.name for one in together.trained.members] == ["high", "low"]


def test_a_member_that_is_far_off_for_a_series_does_no_harm_among_three(home: Path) -> None:
    made = plan(home)
    three = [wild(made, name, level) for name, level in (("a", 10.0), ("b", 11.0), ("c", 12.0))]
    together = combine(made, three)
    assert together is not None
    assert len(together.trained.members) == 3
    assert together.loss < 0.1 * min(one.loss for one in three)
    assert refit(made, together).model.median


def test_what_repeats_values_is_no_member(home: Path) -> None:
    made = plan(home)
    high, low = biased(made, "high", 1.0), biased(made, "low", -1.1)
    naive = replace(low, trained=replace(low.trained, recipe=NAIVE))
    assert combine(made, [high, naive]) is None


def test_one_that_is_better_alone_stays_alone(home: Path) -> None:
    made = plan(home)
    assert combine(made, [biased(made, "right", 0.0), biased(made, "far", 9.0)]) is None


def test_one_kind_alone_has_to_be_much_better_than_several_together(home: Path) -> None:
    made = plan(home)
    high, other, far = (biased(made, name, bias) for name, bias in (("high", 0.5), ("other", 0.54), ("far", 0.7)))
    other, far = (replace(one, trained=replace(one.trained, recipe=THETA)) for one in (other, far))
    assert combine(made, [high, far]) is None
    assert combine(made, [high, biased(made, "same", 0.51)]) is None
    together = combine(made, [high, other])
    assert together is not None

    def losing(share: float) -> Candidate:
        return replace(network(high, "ensemble", share, share, noise=0.0), trained=together.trained)

    season = replace(high, trained=replace(high.trained, recipe=NAIVE))
    assert choose(made, [high, losing(1.06)]) is high
    assert choose(made, [high, hedged := losing(1.04)]) is hedged
    assert choose(made, [season, losing(1.04)]) is season  # what repeats values is no part of it
    assert why(hedged, [high, hedged]).endswith(
        "The loss of high is 3.8% smaller, which is too little to trust one kind of model alone."
    )


def test_neither_part_that_is_held_out_decides_by_itself(home: Path) -> None:
    made = plan(home)
    steady, close, far = (biased(made, name, bias) for name, bias in (("steady", 1.0), ("close", 0.8), ("far", 3.0)))
    late, early = replace(far, test=close.test), replace(close, test=far.test)  # best on the test, and before it
    assert late.test is not None
    assert steady.test is not None
    assert late.test.loss < steady.test.loss
    assert choose(made, [late, steady, early]).name == "steady"
    assert combine(made, [late, steady, early]) is None


def test_where_nothing_is_known_of_one_part_the_other_decides(home: Path) -> None:
    made = plan(home)
    right, far = biased(made, "right", 0.1), biased(made, "far", 9.0)
    assert right.calibration is not None
    gap = scores(np.full(len(right.calibration.by_row()["mase"]), np.nan))
    unknown = [replace(one, calibration=gap) for one in (far, right)]
    assert choose(made, unknown).name == "right"
    assert choose(made, [replace(walk(made), calibration=gap), *unknown]).name == "right"
    assert choose(made, [far, replace(right, test=gap)]).name == "far"
    assert choose(made, [replace(one, calibration=None) for one in (far, right)]).name == "right"
    assert np.isnan(replace(right, calibration=None, test=None).loss)


def test_a_stretch_where_nothing_moved_does_not_decide(home: Path) -> None:
    made = plan(home)
    right, far = biased(made, "right", 0.1), biased(made, "far", 3.0)
    assert far.calibration is not None
    nothing = scores(np.zeros(len(far.calibration.by_row()["mase"])))
    assert choose(made, [replace(far, calibration=nothing), right]).name == "right"


def test_what_others_have_seen_decides_nothing(home: Path) -> None:
    """In a retrain the champion has learned from what calibrates, and a candidate may start from its weights."""
    made = plan(home)
    assert made.split.calibrate is not None
    assert made.split.judges == (made.split.calibrate, made.split.test)
    retrain = replace(made, split=split(made.panel, made.task, until=str(made.panel.lengths[0] - 13)))
    assert retrain.split.calibrate is not None
    assert retrain.split.judges == (retrain.split.test,)
    warm, fresh = biased(retrain, "warm", 0.5), biased(retrain, "fresh", 0.4)
    assert warm.calibration is not None
    warm = replace(warm, calibration=scores(0.01 * warm.calibration.by_row()["scaled_quantile_loss"]))
    assert choose(retrain, [warm, fresh]).name == "fresh"


def walk(plan: Plan) -> Candidate:
    """The last value repeated, a little off."""
    simple = biased(plan, "simple", 0.3)
    return replace(simple, trained=replace(simple.trained, recipe=WALK))


def network(other: Candidate, name: str, on_test: float, before: float = 1.0, noise: float = 0.05) -> Candidate:
    """One whose losses are those of another times a factor, which differs from row to row of the test."""
    assert other.calibration is not None
    assert other.test is not None
    calibration, test = (next(iter(part.by_row().values())) for part in (other.calibration, other.test))
    rows = np.random.default_rng(0).normal(size=len(test))
    trained = replace(other.trained, name=name, fit=FitSpec(), recipe=LINEAR)
    factor = on_test + noise * (rows - rows.mean())
    return replace(other, trained=trained, calibration=scores(before * calibration), test=scores(factor * test))


def test_the_last_value_stays_where_chance_may_have_made_another_better(home: Path) -> None:
    made = plan(home, 400)  # eight origins a horizon apart
    simple = walk(made)
    season = replace(simple, trained=replace(simple.trained, recipe=NAIVE))
    lucky = network(simple, "lucky", 0.99, 0.9, noise=0.5)
    much = network(simple, "much", 0.9, 0.9, noise=0.5)
    once = network(simple, "once", 0.9, 0.96, noise=0.5)
    better = network(simple, "better", 0.8, 1.04)
    only = network(simple, "only", 0.8, 1.22)
    proven = network(simple, "proven", 0.96, 1.02)
    assert lucky.loss < simple.loss
    assert max(proven.loss, only.loss) < simple.loss
    assert proven.test is not None
    assert simple.test is not None
    assert made.split.test is not None
    assert versus((proven.test, simple.test, made.split.test)).low > 0
    assert choose(made, [simple, proven]).name == "simple"  # on the test beyond doubt, not on all that is held out
    assert choose(made, [simple, lucky]).name == "simple"
    assert choose(made, [season, lucky]).name == "lucky"  # a pattern hardly ever repeats exactly
    assert choose(made, [simple, lucky, much]).name == "much"
    assert choose(made, [simple, once]).name == "simple"
    assert choose(made, [simple, lucky, better]).name == "better"
    assert choose(made, [lucky, better]).name == "better"
    assert choose(made, [simple, only]).name == "simple"
    assert choose(made, [simple, only, much]).name == "much"
    assert choose(made, [simple, network(simple, "halved", 0.99, 0.2, noise=0.5)]).name == "halved"
    assert choose(made, [simple, network(simple, "lost", 1.01, 0.2, noise=0.5)]).name == "simple"


def test_the_screen_says_why_the_smallest_loss_did_not_win(home: Path) -> None:
    made = plan(home)
    simple, better = walk(made), biased(made, "better", 0.29)
    result = Result([simple, better], simple, "forecaster", "1", before=None, verdict=None, folder=home, seconds=9.0)
    *_, first, second, champion, told = table(result).splitlines()
    assert [first.split()[0], second.split()[0]] == ["better", "simple"]
    assert champion == "champion: forecaster version 1 (simple), season of 6 steps, 9 s in all"
    assert "The loss of better is " in told
    assert "does not beat simple beyond doubt" in told
    saved = 1 - better.loss / simple.loss
    assert table(replace(result, winner=better)).endswith(f"{saved:.1%} below that of simple.")


def test_few_witnesses_have_to_say_more(home: Path) -> None:
    made = plan(home)  # eight origins within two horizons
    simple = walk(made)
    assert choose(made, [simple, network(simple, "better", 0.8, 1.0)]).name == "simple"
    assert choose(made, [simple, network(simple, "better", 0.92, 0.85)]).name == "simple"
    assert choose(made, [simple, network(simple, "better", 0.85, 0.85)]).name == "better"
    assert isinstance(simple.calibration, Backtest)
    nothing = scores(np.zeros(len(simple.calibration.actual)))
    right = replace(simple, calibration=nothing)  # a stretch where nothing moved
    better = network(simple, "better", 0.8, 0.8)
    assert choose(made, [right, better]).name == "simple"


def test_an_ensemble_is_fitted_again_saved_and_opened_as_one(home: Path) -> None:
    made = plan(home)
    members = (candidate(made, "naive", NAIVE), candidate(made, "linear", LINEAR))
    together = combine(made, [biased(made, "high", 1.0), biased(made, "low", -1.0)])
    assert together is not None
    two = tuple(member.trained for member in members)
    model = EnsembleSpec(members=tuple(one.recipe.model for one in two), median=True)
    recipe = together.trained.recipe.model_copy(update={"model": model})
    trained = Trained("ensemble", recipe, Ensemble([one.model for one in two], median=True), members=two)
    artifact = refit(made, replace(together, trained=trained))
    save(artifact, home / "artifact")
    first, second = (predict(one, made.panel, 9) for one in (artifact, load_artifact(home / "artifact")))
    assert np.array_equal(first.quantiles, second.quantiles)
    alone = [predict(refit(made, member), made.panel, 6) for member in members]
    assert np.allclose(first.mean[:, :6], np.mean([one.mean for one in alone], 0))
