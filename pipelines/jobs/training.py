"""Jobs that train: one only registers what it has trained, the other promotes it where it beats the champion."""

from typing import Literal

from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.registry.fetch import champion
from pipelines.registry.promotion import KeptError
from pipelines.training.challenge import SeenError
from pipelines.training.job import Result, train
from pipelines.training.screen import Screen
from pipelines.training.settings import TrainSettings


class Train(Job, TrainSettings):
    """Train and register a version, and leave the champion as it is."""

    job: Literal["train"]

    def work(self, turn: Turn) -> Outcome:
        with Screen() as screen:
            result = train(self.settings(TrainSettings, turn), screen.report)
        return Outcome(f"registered: {result.winner.name}", result.version, forget=result.forget)


class Retrain(Job, TrainSettings):
    """Train a challenger, and promote it where it beats the champion on data that neither has seen."""

    job: Literal["retrain"]

    def work(self, turn: Turn) -> Outcome:
        before = champion(self.name)
        try:
            with Screen() as screen:
                result = train(self.settings(TrainSettings, turn), screen.report, before)
        except SeenError as error:
            return Outcome(f"kept: {error}", before.version if before is not None else None)
        return Outcome(self._settled(result, turn), result.version, forget=result.forget)

    def _settled(self, result: Result, turn: Turn) -> str:
        try:
            return f"promoted: {result.promote(turn.exclusive(self.name), contested=True)}"
        except KeptError as error:
            return f"kept: {error}"
