"""The training job from data to champion, with everything it does kept in MLflow."""

import hashlib
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import torch

from forecaster.artifact import save
from forecaster.build import build
from forecaster.durable import replace
from forecaster.spec import FitSpec
from pipelines import automatic
from pipelines.admit import admit
from pipelines.covariates import describe
from pipelines.fitting import Point
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


def run(settings: TrainSettings, report: Callable[[str, FitSpec, Point], None] = lambda *epoch: None) -> Result:
    """Train, compare, register and promote. Stopped at any moment and run again, it goes on where it was.

    Raises DataError on data that cannot be trained on.
    """
    began = time.perf_counter()
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
    plan = prepare(settings, panel, chosen, report)
    memory = Memory(plan.folder)
    with Run.start(settings.name, "train", key=memory.key("train")) as parent:
        log_plan(parent, settings, plan)
        candidates = []
        for name, recipe in chosen.items():
            with Run.start(settings.name, name, parent=parent, key=memory.key(name)) as child:
                candidates.append(candidate(plan, name, recipe))
                log_candidate(child, plan, candidates[-1])
        if (together := combine(plan, candidates)) is not None:
            with Run.start(settings.name, together.name, parent=parent, key=memory.key(together.name)) as child:
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
    shutil.rmtree(plan.folder)
    return Result(candidates, winner, settings.name, version, time.perf_counter() - began)


def prepare(
    settings: TrainSettings,
    panel: Panel,
    chosen: dict[str, Recipe],
    report: Callable[[str, FitSpec, Point], None] = lambda *epoch: None,
) -> Plan:
    """What all candidates share: the task read from the data, its split, and the folder of the work.

    Raises DataError on a recipe that cannot be built, or that the data is not for, before anything is trained.
    """
    data = describe(panel, settings.end)
    task = automatic.task(panel, data, settings.horizon or 1, settings.season)
    for name, recipe in chosen.items():
        admit(panel, name, build(recipe.model, task))
    networks = sum(recipe.fit is not None for recipe in chosen.values())
    parts = [settings, task, *chosen.values()]
    identity = "".join(part.model_dump_json() for part in parts) + panel.digest
    folder = WORK / hashlib.sha256(identity.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return Plan(
        panel=panel,
        split=split(panel, task) if panel.whole is None else by_series(panel, settings.seed),
        data=data,
        task=task,
        seed=settings.seed,
        seconds=RESERVE * settings.budget / (networks * (1 + REFIT)) if networks else 0.0,
        folder=folder,
        device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        report=report,
    )


class Memory:
    """The keys of a job's MLflow runs, so that after a crash it goes on in the same ones."""

    def __init__(self, folder: Path) -> None:
        file = folder / "job"
        if not file.exists():
            replace(file, uuid4().hex.encode())
        self.job = file.read_text()

    def key(self, name: str) -> str:
        """What a run of the job is found by."""
        return f"{self.job}/{name}"
