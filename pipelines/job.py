"""The training job from data to champion, with everything it does kept in MLflow."""

import dataclasses
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from forecaster.artifact import save
from forecaster.build import build
from forecaster.parallel import wait
from forecaster.spec import FitSpec
from pipelines import automatic
from pipelines.admit import admit
from pipelines.covariates import describe
from pipelines.engine import HERE, Engine
from pipelines.fitting import Point, replace
from pipelines.logbook import log_candidate, log_comparison, log_plan
from pipelines.panel import Panel
from pipelines.pyfunc import log_model
from pipelines.recipe import Recipe
from pipelines.recipe import choose as choose_recipes
from pipelines.registry import promote, register
from pipelines.settings import TrainSettings
from pipelines.sources import read
from pipelines.split import answered, by_series, split
from pipelines.tracking import Run
from pipelines.train import REFIT, RESERVE, Candidate, Plan, candidate, choose, combine, refit

log = logging.getLogger(__name__)

WORK = Path("mlruns") / "work"
"""Where jobs keep what they need to go on after a crash."""


@dataclass(frozen=True)
class Result:
    """What a job ends with."""

    candidates: list[Candidate]
    champion: Candidate
    name: str
    version: str
    seconds: float


def run(
    settings: TrainSettings, report: Callable[[str, FitSpec, Point], None] = lambda *epoch: None, engine: Engine = HERE
) -> Result:
    """Train, compare, register and promote. Stopped at any moment and run again, it goes on where it was.

    The engine trains the candidates. Elsewhere than here, they report when they are done.

    Raises DataError on data that cannot be trained on.
    """
    began = time.perf_counter()
    panel, chosen, plan = _planned(settings, report, engine.workers)
    there = plan if engine.here else dataclasses.replace(plan, report=lambda *epoch: None)
    trained = engine.map(lambda one: candidate(there, *one), chosen.items())
    memory = Memory(plan.folder)
    with Run.start(settings.name, "train", resume_id=memory.run("train")) as parent:
        memory.keep("train", parent.id)
        log_plan(parent, settings, plan)
        candidates = []
        for name in chosen:
            with Run.start(settings.name, name, parent=parent, resume_id=memory.run(name)) as child:
                memory.keep(name, child.id)
                candidates.append(next(trained))
                log_candidate(child, plan, candidates[-1])
            if not engine.here:
                _tell(report, candidates[-1])
        if (together := combine(plan, candidates)) is not None:
            with Run.start(settings.name, together.name, parent=parent, resume_id=memory.run(together.name)) as child:
                memory.keep(together.name, child.id)
                log_candidate(child, plan, together)
            candidates.append(together)
        winner = choose(candidates)
        log.info("the best candidate is %s with a loss of %.4f", winner.name, winner.loss)
        folder = plan.folder / "model"
        shutil.rmtree(folder, ignore_errors=True)
        digest = save(refit(plan, winner), folder)
        log_comparison(parent, plan, candidates, winner)
        uri = log_model(parent, folder, panel)
        metrics = winner.test.metrics() if winner.test is not None else {}
        version = register(settings.name, uri, run_id=parent.id, digest=digest, metrics=metrics)
        promote(
            settings.name,
            version,
            metric=winner.test.criterion if winner.test is not None else "",
            value=winner.loss,
            reason=f"best of {len(candidates)} candidates: {winner.name}",
        )
    wait()  # for those who read what is there
    shutil.rmtree(plan.folder)
    return Result(candidates, winner, settings.name, version, time.perf_counter() - began)


def follow(settings: TrainSettings) -> None:
    """Take part in the same `run` of another process that torchrun has started: train along, and keep nothing."""
    _, chosen, plan = _planned(settings)
    candidates = [candidate(plan, name, recipe) for name, recipe in chosen.items()]
    together = combine(plan, candidates)
    refit(plan, choose(candidates if together is None else [*candidates, together]))
    wait()


def _tell(report: Callable[[str, FitSpec, Point], None], done: Candidate) -> None:
    """All epochs of a candidate at once."""
    if done.artifact.spec.fit is not None:
        for point in done.curve:
            report(done.name, done.artifact.spec.fit, point)


def _planned(
    settings: TrainSettings,
    report: Callable[[str, FitSpec, Point], None] = lambda *epoch: None,
    workers: int = 1,
) -> tuple[Panel, dict[str, Recipe], Plan]:
    """The data, the candidates, and what they share."""
    panel = read(
        settings.data,
        frequency=settings.frequency,
        zone=settings.zone,
        known=settings.known,
        past=settings.past,
        static=settings.static,
        duplicates=settings.duplicates,
        whole=settings.target,
    )
    panel = panel if panel.whole is None else answered(panel)
    chosen = choose_recipes(settings.recipes or automatic.recipes(panel), automatic.kind(panel))
    return panel, chosen, prepare(settings, panel, chosen, report, workers)


def prepare(
    settings: TrainSettings,
    panel: Panel,
    chosen: dict[str, Recipe],
    report: Callable[[str, FitSpec, Point], None] = lambda *epoch: None,
    workers: int = 1,
) -> Plan:
    """What all candidates share: the task read from the data, its split, and the folder of the work.

    The budget is for `workers` that train networks side by side, and for one that trains the winner on.

    Raises DataError on a recipe that cannot be built, or that the data is not for, before anything is trained.
    """
    data = describe(panel, settings.end)
    task = automatic.task(panel, data, settings.horizon or 1, settings.season)
    for name, recipe in chosen.items():
        admit(panel, name, build(recipe.model, task))
    networks = sum(recipe.fit is not None for recipe in chosen.values())
    parts = [settings, task, *chosen.values()]
    identity = "".join(part.model_dump_json() for part in parts) + panel.digest
    folder = (WORK / hashlib.sha256(identity.encode()).hexdigest()[:16]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return Plan(
        panel=panel,
        split=split(panel, task) if panel.whole is None else by_series(panel, settings.seed),
        data=data,
        task=task,
        seed=settings.seed,
        seconds=RESERVE * settings.budget / (-(-networks // workers) + REFIT * networks) if networks else 0.0,
        folder=folder,
        report=report,
    )


class Memory:
    """The MLflow runs of a job by name, so that after a crash it goes on in the same ones."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "runs.json"
        self.ids: dict[str, str] = json.loads(self.file.read_text()) if self.file.exists() else {}

    def run(self, name: str) -> str | None:
        """The id of the run that an earlier attempt has started."""
        return self.ids.get(name)

    def keep(self, name: str, run_id: str) -> None:
        """Remember a run."""
        self.ids[name] = run_id
        replace(self.file, json.dumps(self.ids))
