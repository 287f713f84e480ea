"""Search over recipes: Optuna proposes networks, and those that learn worse than most are given up early."""

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from forecaster.errors import DataError
from forecaster.spec import CoreSpec, FitSpec, RecurrentSpec
from pipelines.recipes.recipe import Recipe
from pipelines.runs.engine import Engine
from pipelines.tracking.run import Run
from pipelines.training.candidate import Candidate
from pipelines.training.fitting import DivergedError, Point, best
from pipelines.training.logbook import log_candidate
from pipelines.training.plan import REFIT, Plan
from pipelines.training.stages import candidate

STARTS = 4
"""Trials that are not given up, for others to be compared with."""
EPOCHS = 2
"""That each trial has before it may be given up."""

log = logging.getLogger(__name__)
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Trial:
    """A recipe that was proposed."""

    id: int
    """In the study."""
    name: str
    recipe: Recipe


def search(
    plan: Plan, trials: int, child: Callable[[str], AbstractContextManager[Run]], engine: Engine
) -> dict[str, Recipe]:
    """The recipe that was best of so many by the data that calibrates, by its name; each is a run in MLflow.

    They take the plan's budget, with what the best is trained on after them. A tree-structured
    Parzen estimator proposes them (Bergstra et al. 2011, "Algorithms for
    hyper-parameter optimization"), and a trial ends early whose validation is worse than the median of the others at
    the same epoch. With the same seed and one worker it is the same search, as far as time does not cut trainings
    short. Stopped and called again, it keeps the trials that have ended. No recipe is found where that data tells of
    no trial how good it is, as of series that repeat themselves. Raises DataError where nothing can be held out, and
    for labels and whole series.
    """
    if plan.split.calibrate is None:
        raise DataError("the series are too short to search by", remedy="leave --search out, or give longer series")
    if plan.data.labels or plan.data.whole is not None:
        raise DataError("a search is over recipes for numbers", remedy="leave --search out")
    plan = replace(
        plan,
        seconds=plan.budget / (trials / min(engine.workers, trials) + 2 * REFIT),
        split=replace(plan.split, before=None, test=None),  # validation decides, and the best is a candidate
        report=lambda *epoch: None,
    )
    study = _study(plan)
    study.sampler = optuna.samplers.TPESampler(seed=plan.seed + len(study.trials))  # not the same ones after a crash
    for lost in study.get_trials(states=(TrialState.RUNNING,)):  # of a process that was killed
        study.tell(lost.number, state=TrialState.FAIL)
    while (left := trials - len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))) > 0:
        asked = [study.ask() for _ in range(min(engine.workers, left))]
        tasks = [Trial(one._trial_id, f"trial_{one.number:03}", _propose(one, plan.task.positive)) for one in asked]
        for trial, task, done in zip(asked, tasks, engine.map(partial(_attempt, plan), tasks), strict=True):
            with child(task.name) as run:
                if done is None:
                    run.params({"pruned": True} | trial.params)
                    run.note("given up: it diverged, or was worse at validation than the median of the others by then")
                    study.tell(trial, state=TrialState.PRUNED)
                    continue
                log_candidate(run, plan, done)
                if math.isfinite(value := best(done.trained.curve).validation):
                    study.tell(trial, value)
                else:  # a FAIL, which Optuna would make of it, is asked for again
                    study.tell(trial, state=TrialState.PRUNED)
    if not study.get_trials(states=(TrialState.COMPLETE,)):
        log.warning("the search found nothing: validation tells of none of %d trials how good it is", trials)
        return {}
    found = study.best_trial
    recipe = _propose(optuna.trial.FixedTrial(found.params), plan.task.positive)
    return {f"trial_{found.number:03}": recipe}


def _study(plan: Plan) -> optuna.Study:
    """The trials of a job, in a file of its work, which workers open too."""
    file = Path(plan.folder / "search.log")
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(file))),
        pruner=optuna.pruners.MedianPruner(STARTS, EPOCHS),
        study_name="search",
        load_if_exists=True,
    )


def _propose(trial: optuna.trial.BaseTrial, positive: bool) -> Recipe:
    """One more recipe of the kind that the default ones are."""
    core = CoreSpec(
        cell=trial.suggest_categorical("cell", ("gru", "lstm")),
        width=trial.suggest_categorical("width", (32, 64, 128, 256)),
        layers=trial.suggest_int("layers", 1, 3),
    )
    fit = FitSpec(
        learning_rate=trial.suggest_float("learning_rate", 1e-3, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True),
    )
    logarithm = trial.suggest_categorical("logarithm", (True, False)) if positive else True
    return Recipe(summary="Found by a search.", model=RecurrentSpec(core=core, logarithm=logarithm), fit=fit)


def _attempt(plan: Plan, task: Trial) -> Candidate | None:
    """A trial from its beginning to its end; None where it was given up, or its training diverges."""
    trial = optuna.trial.Trial(_study(plan), task.id)

    def report(name: str, spec: FitSpec, point: Point) -> None:  # noqa: ARG001
        trial.report(point.validation, point.step.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        return candidate(replace(plan, report=report), task.name, task.recipe)
    except (optuna.TrialPruned, DivergedError):
        return None
