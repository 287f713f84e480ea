"""Jobs that use models: backtest, score, promote, package."""

import subprocess
from functools import partial
from typing import Literal

from pydantic import Field

from forecaster.errors import DataError
from pipelines.champion.load import panel_for
from pipelines.champion.score import rolling, score
from pipelines.evaluation.backtest import criterion
from pipelines.fields import Text, ZoneName
from pipelines.forecasting.predict import TENTHS
from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.registry.commands import packing
from pipelines.registry.fetch import champion, resolve
from pipelines.registry.promotion import KeptError, promote
from pipelines.registry.versions import versions
from pipelines.sources.source import Source
from pipelines.tracking.run import Run
from pipelines.training.challenge import SeenError, match, unbeaten


class Reading(Job):
    """A job that reads series as a model does."""

    source: Source
    version: Text | None = None
    """Of the model; the champion if left out."""
    zone: ZoneName = None
    duplicates: str = "error"


class Asking(Reading):
    """A job that forecasts them."""

    horizon: int | None = Field(None, ge=1)
    """The model's own if left out."""


class Backtest(Asking):
    """Forecast from past origins and compare with what came; the scores go to MLflow."""

    job: Literal["backtest"]
    windows: int = Field(3, ge=1)

    def work(self, turn: Turn) -> Outcome:
        champion = resolve(self.name, self.version)
        scores = rolling(
            champion,
            self.source,
            self.horizon,
            self.windows,
            zone=self.zone,
            duplicates=self.duplicates,
            as_of=turn.as_of,
        )
        tags = {"version": champion.version, "as_of": turn.as_of or "latest"}
        with Run.start(self.name, "backtest", key=f"{turn.key}/{champion.version}", tags=tags) as run:
            run.metrics(scores)
        first = list(scores.items())[:3]
        return Outcome(", ".join(f"{name} {value:.4f}" for name, value in first), champion.version)


class Score(Asking):
    """Forecast every series, into a file or a table."""

    job: Literal["score"]
    out: Source
    quantiles: tuple[float, ...] = TENTHS
    paths: int = Field(0, ge=0)
    seed: int = Field(0, ge=0)

    def work(self, turn: Turn) -> Outcome:
        champion = resolve(self.name, self.version)
        rows = score(
            champion,
            self.source,
            self.horizon,
            self.out,
            self.quantiles,
            paths=self.paths,
            seed=self.seed,
            zone=self.zone,
            duplicates=self.duplicates,
            as_of=turn.as_of,
        )
        return Outcome(f"{rows} rows in {self.out}", champion.version)


class Promote(Reading):
    """Make a version, the newest one if left out, the champion where it is better on data that neither has seen."""

    job: Literal["promote"]

    def work(self, turn: Turn) -> Outcome:
        version = self.version or versions(self.name)[-1].version
        ours, theirs = resolve(self.name, version), champion(self.name)
        if theirs is not None and theirs.version == version:
            return Outcome("kept: it is the champion already", version)
        verdict = None
        if theirs is not None:
            panel = panel_for(ours.artifact, self.source, self.zone, self.duplicates, as_of=turn.as_of)
            try:
                verdict = match(ours, theirs, panel)
            except SeenError as error:
                return Outcome(f"kept: {error}", theirs.version)
        before = theirs.version if theirs is not None else None
        check = partial(unbeaten, before=before, verdict=verdict, metric=criterion(ours.artifact.spec.data))
        reason = verdict.reason if verdict is not None else "there was no champion"
        try:
            promote(self.name, version, reason=reason, check=check, alone=turn.exclusive(self.name))
        except KeptError as error:
            return Outcome(f"kept: {error}", before)
        return Outcome(f"promoted: {reason}", version)


class Package(Job):
    """Build a Bento of the champion."""

    job: Literal["package"]
    version: Text | None = None

    def work(self, turn: Turn) -> Outcome:  # noqa: ARG002
        live = resolve(self.name, self.version)
        built = subprocess.run(packing(live), stdout=subprocess.PIPE, text=True, check=False)
        if built.returncode:
            raise DataError(f"no Bento was built, see above (exit code {built.returncode})")
        return Outcome(built.stdout.strip().splitlines()[-1], live.version)
