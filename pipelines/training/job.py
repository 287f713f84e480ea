"""Training from data to a registered version, with everything it does kept in MLflow."""

import dataclasses
import logging
import shutil
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from forecaster.artifact import save
from forecaster.errors import ArtifactError, DataError
from forecaster.parallel import wait
from pipelines.evaluation.contest import Verdict
from pipelines.pyfunc import log_model
from pipelines.registry.fetch import Fetched, champion
from pipelines.registry.promotion import accept, promote
from pipelines.registry.versions import register, registered
from pipelines.runs.engine import HERE, Engine
from pipelines.tracking.run import Run
from pipelines.training.candidate import Candidate, remaining
from pipelines.training.challenge import judge, unbeaten, unlike
from pipelines.training.logbook import log_candidate, log_comparison, log_plan
from pipelines.training.plan import Report
from pipelines.training.prepare import planned
from pipelines.training.search import search
from pipelines.training.selection import choose, combine, why
from pipelines.training.settings import TrainSettings
from pipelines.training.stages import attempt, refit
from pipelines.training.work import RunKeys, alone

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    """What training ends with."""

    candidates: list[Candidate]
    winner: Candidate
    name: str
    version: str
    before: str | None
    """The version that was the champion when training began."""
    verdict: Verdict | None
    """How the winner did against it; None where there was none."""
    folder: Path
    """What is needed to do it again after a crash, until it is not."""
    seconds: float

    def promote(self, alone: AbstractContextManager[None] | None = None, *, contested: bool = False) -> str:
        """Make the version the champion, and return why; contested, only where it is better.

        `alone` is held meanwhile. Raises KeptError where the champion is not beaten.
        """
        best = f"best of {len(self.candidates)} candidates: {self.winner.name}"
        test = self.winner.test
        metric, value = (test.criterion, test.loss) if test is not None else ("", float("nan"))
        record = promote(
            self.name,
            self.version,
            metric=metric,
            value=value,
            reason=best if self.verdict is None else f"{best}; {self.verdict.reason}",
            check=partial(unbeaten, before=self.before, verdict=self.verdict, metric=metric) if contested else accept,
            alone=alone,
        )
        return record.reason

    def forget(self) -> None:
        """Remove what the work has left; the same job would begin anew."""
        shutil.rmtree(self.folder, ignore_errors=True)


def run(settings: TrainSettings, report: Report = lambda *epoch: None, engine: Engine = HERE) -> Result:
    """Train, compare, register and promote. Stopped at any moment and run again, it goes on where it was.

    The engine trains the candidates; elsewhere than here, they report when they are done. Raises DataError on data
    that cannot be trained on.
    """
    result = train(settings, report, engine=engine)
    changed = None
    with suppress(ArtifactError):  # of one that cannot be read there is nothing to tell
        before = champion(settings.name)
        changed = unlike(before, result.winner.artifact.spec.data) if before is not None else None
    result.promote()
    if changed is not None:
        log.warning(changed)
    wait()  # for those who read what is there
    result.forget()
    return result


def follow(settings: TrainSettings) -> None:
    """Take part in the same `run` of another process that torchrun has started: train along, and keep nothing."""
    known, plan = planned(settings)
    candidates = remaining([attempt(plan, name, *entry) for name, entry in known.items()])
    together = combine(plan, candidates)
    refit(plan, choose(plan, candidates if together is None else [*candidates, together]))
    wait()


def train(
    settings: TrainSettings,
    report: Report = lambda *epoch: None,
    champion: Fetched | None = None,
    engine: Engine = HERE,
) -> Result:
    """Train, compare and register, and judge a champion by origins that are later than what it has seen.

    A candidate whose training diverges is left out. Raises DataError where that is so of all, on data that cannot be
    trained on or that the champion cannot read, and SeenError where there is no horizon of data that the champion has
    not seen.
    """
    began = time.perf_counter()
    known, plan = planned(settings, report, champion, engine.workers)
    keys = RunKeys(plan.folder)
    with alone(plan.folder), Run.start(settings.name, "train", key=keys.of("train")) as parent:
        log_plan(parent, settings, plan, known)

        def child(name: str) -> AbstractContextManager[Run]:
            return Run.start(settings.name, name, parent=parent, key=keys.of(name))

        if settings.search:
            found = search(plan, settings.search, child, engine)
            known |= {name: (recipe, None) for name, recipe in found.items()}
        attempts: list[Candidate | DataError] = []
        there = plan if engine.here else dataclasses.replace(plan, report=lambda *epoch: None)
        trained = engine.map(lambda one: attempt(there, one[0], *one[1]), known.items())
        for name in known:
            with child(name) as run:
                attempts.append(done := next(trained))
                if not isinstance(done, Candidate):
                    log.warning("a candidate is left out: %s", done)
                    run.params({"left_out": done})
                    run.note(f"left out: {done}")
                    continue
                log_candidate(run, plan, done)
            if not engine.here:
                _tell(report, done)
        candidates = remaining(attempts)
        if (together := combine(plan, candidates)) is not None:
            with child(together.name) as run:
                log_candidate(run, plan, together)
            candidates.append(together)
        winner, verdict = choose(plan, candidates), None
        log.info("the best candidate is %s with a loss of %.4f", winner.name, winner.loss)
        if champion is not None:
            with child("champion") as run:
                verdict = judge(parent, run, plan, winner, champion)
        folder = plan.folder / "model"
        shutil.rmtree(folder, ignore_errors=True)
        digest = save(refit(plan, winner), folder)
        log_comparison(parent, plan, candidates, winner)
        version = registered(settings.name, parent.id, digest)
        if version is None:
            metrics = winner.test.metrics() if winner.test is not None else {}
            uri = log_model(parent, folder, plan.panel)
            tested = plan.split.test.digest if plan.split.test is not None else ""
            version = register(
                settings.name,
                uri,
                run_id=parent.id,
                digest=digest,
                metrics=metrics,
                tested=tested,
                description=why(winner, candidates),
            )
    return Result(
        candidates,
        winner,
        name=settings.name,
        version=version,
        before=champion.version if champion is not None else None,
        verdict=verdict,
        folder=plan.folder,
        seconds=time.perf_counter() - began,
    )


def _tell(report: Report, done: Candidate) -> None:
    """All epochs at once of a candidate's first training."""
    if done.trained.fit is not None:
        for point in done.trained.curve:
            report(done.name, done.trained.fit, point)
