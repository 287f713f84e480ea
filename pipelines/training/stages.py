"""What becomes of a recipe: trained, calibrated, tested, and if it wins, trained on all data."""

import copy
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from forecaster.artifact import Artifact
from forecaster.build import build
from forecaster.conformal import Calibrator
from forecaster.errors import DataError
from forecaster.manifest import ArtifactSpec, Training
from forecaster.model import Model
from forecaster.models.ensemble import Ensemble
from forecaster.parallel import device
from forecaster.paths import CAUTIOUS, Dependence
from forecaster.spec import FitSpec
from forecaster.train import Batches
from pipelines.batches.windows import Table
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import Backtest, backtest
from pipelines.evaluation.scores import Scores
from pipelines.evaluation.split import HeldOut, begun
from pipelines.evaluation.unit import unit
from pipelines.recipes.recipe import Recipe
from pipelines.training.baselines import solve
from pipelines.training.candidate import Candidate, Trained
from pipelines.training.fitting import DivergedError, Point, asked, batches, best, converging, train, within
from pipelines.training.plan import REFIT, Plan


def candidate(plan: Plan, name: str, recipe: Recipe, start: Model | None = None) -> Candidate:
    """Train a recipe, from other weights if given, on the first part of the data, calibrate it on the next and test it
    on the last, after it was trained on all before that: so what is tested is what will be served, only earlier."""
    began = time.perf_counter()
    trained = _first_training(plan, name, recipe, start)
    before = plan.split.before
    model = trained.model if before is None else _again(plan, trained, before, "test")
    return judged(plan, trained, model, began)


def attempt(plan: Plan, name: str, recipe: Recipe, start: Model | None = None) -> Candidate | DataError:
    """A candidate, or why there is none: its training diverges."""
    try:
        return candidate(plan, name, recipe, start)
    except DivergedError as error:
        return DataError(error.message, place=error.place)  # without its trace, which holds the training data


def refit(plan: Plan, winner: Candidate) -> Artifact:
    """The winner trained with all data, and calibrated on everything that was held out, as its paths are.

    Raises DivergedError where that training diverges, though those before did not.
    """
    model = _again(plan, winner.trained, plan.panel, "refit")
    test = examine(plan, winner.artifact.model, plan.split.test) if plan.split.test is not None else None
    calibrator, dependence = _calibration(winner.calibration, test)
    if calibrator is not None and plan.split.test is not None and plan.panel.whole is None:
        calibrator = _with_young(plan, winner.artifact.model, plan.split.test, calibrator)
    return Artifact(describe(plan, winner.trained, plan.panel), model, calibrator, dependence)


def _first_training(plan: Plan, name: str, recipe: Recipe, start: Model | None) -> Trained:
    """A recipe trained on the first part of the data within the plan's time."""
    model, spec, panel = build(recipe.model, plan.task, plan.seed), recipe.fit, plan.split.train
    if start is not None:
        model.load_state_dict(start.state_dict())
    if spec is None:
        solve(model, panel, plan.data, plan.task.seasons[0], plan.seed)
        return Trained(name, recipe, model.eval())
    fresh = copy.deepcopy(model)
    spec = asked(spec, plan.seed, plan.updates)
    recipe = recipe.model_copy(update={"fit": spec})
    data, validate = _batches(plan, panel, model, spec), _validate(plan, plan.split.calibrate)
    with converging(name):
        if plan.updates is None:
            spec = within(plan.seconds, model, data, spec, _folder(plan, name), validate)
        curve = _train(plan, name, model, panel, spec, plan.split.calibrate)
    return Trained(name, recipe, model.eval(), spec, tuple(curve), fresh)


def _again(plan: Plan, one: Trained, panel: Panel, purpose: str) -> Model:
    """A model trained with more data than it stopped by.

    One that was best late in its training still learned: it goes on. One that was best early has overfitted since, and
    knows too much of the first part of the data to go on: it begins again.
    """
    if one.members:
        assert isinstance(one.model, Ensemble)
        return Ensemble([_again(plan, member, panel, purpose) for member in one.members], median=one.model.median)
    if one.fit is None or one.start is None:
        model = copy.deepcopy(one.model)
        solve(model, panel, plan.data, plan.task.seasons[0], plan.seed)
        return model
    updates = best(one.curve).step.updates
    begins = updates <= REFIT * one.fit.updates
    model = copy.deepcopy(one.start if begins else one.model)
    spec = one.fit.model_copy(update={"updates": updates if begins else round(REFIT * updates)})
    with converging(one.name):
        _train(plan, f"{one.name}.{purpose}", model, panel, spec, None)
    return model


def judged(plan: Plan, trained: Trained, model: Model, began: float) -> Candidate:
    """A recipe as it was trained for the test, calibrated as it was before, and tested."""
    calibrate, seen = plan.split.calibrate, plan.split.train if plan.split.before is None else plan.split.before
    calibration = examine(plan, trained.model, calibrate) if calibrate is not None else None
    calibrator, dependence = _calibration(calibration)
    test = examine(plan, model, plan.split.test, calibrator) if plan.split.test is not None else None
    artifact = Artifact(describe(plan, trained, seen), model.eval(), calibrator, dependence)
    return Candidate(trained, artifact, calibration, test, time.perf_counter() - began, plan.split.seen)


def describe(plan: Plan, trained: Trained, panel: Panel) -> ArtifactSpec:
    """The specification of an artifact trained on `panel`."""
    profile = panel.profile
    return ArtifactSpec(
        candidate=trained.name,
        data=plan.data,
        task=plan.task,
        model=trained.recipe.model,
        fit=trained.fit,
        training=Training(
            series=len(panel),
            observations=profile["observations"],
            start=profile["start"],
            until=profile["end"],
            digest=panel.digest,
        ),
        packages={package: version(package) for package in ("forecaster", "torch", "numpy", "safetensors")},
    )


def _train(plan: Plan, name: str, model: Model, panel: Panel, spec: FitSpec, held_out: HeldOut | None) -> list[Point]:
    """Train in place on the plan's device, and stop early by what is held out."""
    data = _batches(plan, panel, model, spec)

    def report(point: Point) -> None:
        plan.report(name, spec, point)

    curve = train(model, data, spec, _folder(plan, name), validate=_validate(plan, held_out), report=report)
    model.cpu()
    return curve


def _validate(plan: Plan, held_out: HeldOut | None) -> Callable[[Model], float] | None:
    """The score of a model on what is held out, if anything is, by quantiles that are not made whole: those would stay
    as they are while a network learns."""
    if held_out is None:
        return None
    smooth = plan.data.model_copy(update={"integral": False})
    return lambda model: backtest(model, smooth, plan.task.seasons[0], held_out).loss


def _batches(plan: Plan, panel: Panel, model: Model, spec: FitSpec) -> Batches:
    """The training data, on the device that the model is moved to."""
    table = Table(panel, plan.data, device=device(), unit=unit(panel, plan.task.seasons[0]))
    return batches(table, model.to(device()), spec)


def _folder(plan: Plan, name: str) -> Path:
    folder = plan.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def examine(plan: Plan, model: Model, held_out: HeldOut, calibrator: Calibrator | None = None) -> Scores:
    """A backtest of a model, calibrated if it is, on what is held out."""
    return backtest(model, plan.data, plan.task.seasons[0], held_out, calibrator)


def _with_young(plan: Plan, model: Model, held_out: HeldOut, calibrator: Calibrator) -> Calibrator:
    """Also for series that have just begun, as if those that are held out had: it is not known how they did begin."""
    told = {}
    for steps, young in begun(held_out):
        test = examine(plan, model, young)
        assert isinstance(test, Backtest)
        told[steps] = test.forecast, young.actual
    return calibrator.with_young(told)


def _calibration(*tests: Scores | None) -> tuple[Calibrator | None, Dependence]:
    """What is learned from data that models have not seen: how wide intervals are, and how errors go on."""
    known = [test for test in tests if test is not None]
    return type(known[0]).joined(known).residuals() if known else (None, CAUTIOUS)
