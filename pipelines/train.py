"""The training job: candidates are trained, calibrated and backtested; the best is fitted to all data and promoted."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from forecaster.artifact import Artifact
from forecaster.build import build
from forecaster.conformal import Calibrator
from forecaster.model import Model
from forecaster.spec import ArtifactSpec, DataSpec, FitSpec, Task, Training
from pipelines.backtest import Backtest, backtest
from pipelines.baselines import solve
from pipelines.fitting import Point, batches, best, train, within
from pipelines.panel import Panel
from pipelines.recipe import Recipe
from pipelines.split import Origin, Split
from pipelines.windows import Table

log = logging.getLogger(__name__)

RESERVE = 0.85
"""Share of the budget that is planned for; the rest is for backtests and logging."""


@dataclass(frozen=True)
class Plan:
    """What all candidates of a job share."""

    panel: Panel
    split: Split
    data: DataSpec
    task: Task
    seed: int
    seconds: float
    """What the training of one network may take."""
    folder: Path
    """Where the work is kept: the same job again goes on where it stopped."""
    device: torch.device
    report: Callable[[str, FitSpec, Point], None]
    """Told of every epoch: the candidate, how it is trained and how far it is."""


@dataclass(frozen=True)
class Candidate:
    """A trained recipe and how it did on data that it has not seen."""

    name: str
    recipe: Recipe
    artifact: Artifact
    test: Backtest | None
    """None where no series is long enough to hold anything out."""
    curve: list[Point]
    seconds: float

    @property
    def loss(self) -> float:
        """What candidates are compared by: the scaled quantile loss on the test origins."""
        return self.test.scaled_quantile_loss() if self.test is not None else float("nan")


def candidate(plan: Plan, name: str, recipe: Recipe) -> Candidate:
    """Train a recipe on the first part of the data, calibrate it on the next and test it on the last."""
    began = time.perf_counter()
    spec = recipe.fit.model_copy(update={"seed": plan.seed}) if recipe.fit is not None else None
    validate = (lambda model: _backtest(plan, model, plan.split.calibrate).scaled_quantile_loss())
    model, spec, curve = _fitted(
        plan, name, recipe, plan.split.train, spec, validate if plan.split.calibrate else None
    )
    calibrator = _calibrator(plan, model, plan.split.calibrate)
    test = _backtest(plan, model, plan.split.test, calibrator) if plan.split.test else None
    artifact = Artifact(describe(plan, name, recipe, spec, plan.split.train), model, calibrator)
    return Candidate(name, recipe, artifact, test, curve, time.perf_counter() - began)


def refit(plan: Plan, winner: Candidate) -> Artifact:
    """The winner trained again for as long as was best, now on all data, and calibrated on everything held out."""
    spec = winner.artifact.spec.fit
    if spec is not None:
        spec = spec.model_copy(update={"updates": best(winner.curve).step.updates})
    model, spec, _ = _fitted(plan, f"{winner.name}.refit", winner.recipe, plan.panel, spec, validate=None)
    calibrator = _calibrator(plan, winner.artifact.model, [*plan.split.calibrate, *plan.split.test])
    return Artifact(describe(plan, winner.name, winner.recipe, spec, plan.panel), model, calibrator)


def choose(candidates: list[Candidate]) -> Candidate:
    """The candidate with the smallest loss; the first one, a baseline, where nothing could be tested."""
    tested = [one for one in candidates if np.isfinite(one.loss)]
    return min(tested, key=lambda one: one.loss) if tested else candidates[0]


def describe(plan: Plan, name: str, recipe: Recipe, spec: FitSpec | None, panel: Panel) -> ArtifactSpec:
    """The specification of an artifact trained on `panel`."""
    profile = panel.profile
    return ArtifactSpec(
        candidate=name,
        data=plan.data,
        task=plan.task,
        model=recipe.model,
        fit=spec,
        training=Training(
            series=len(panel),
            observations=profile["observations"],
            start=profile["start"],
            until=profile["end"],
            digest=panel.digest,
        ),
        packages={package: version(package) for package in ("forecaster", "torch", "numpy", "safetensors")},
    )


def _fitted(
    plan: Plan,
    name: str,
    recipe: Recipe,
    panel: Panel,
    spec: FitSpec | None,
    validate: Callable[[Model], float] | None,
) -> tuple[Model, FitSpec | None, list[Point]]:
    model = build(recipe.model, plan.task, plan.seed)
    if spec is None:
        solve(model, panel, plan.data, plan.seed)
        return model.eval(), None, []
    folder = plan.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    model = model.to(plan.device)
    data = batches(Table(panel, plan.data, device=plan.device), model, spec)
    spec = within(plan.seconds, model, data, spec, folder)
    resolved = spec
    curve = train(
        model, data, spec, folder, validate=validate, report=lambda point: plan.report(name, resolved, point)
    )
    return model.cpu(), spec, curve


def _backtest(plan: Plan, model: Model, origins: list[Origin], calibrator: Calibrator | None = None) -> Backtest:
    return backtest(model, plan.data, plan.task.seasons[0], origins, calibrator)


def _calibrator(plan: Plan, model: Model, origins: list[Origin]) -> Calibrator | None:
    if not origins:
        return None
    held_out = _backtest(plan, model, origins)
    return Calibrator.learn(held_out.forecast, held_out.actual)
