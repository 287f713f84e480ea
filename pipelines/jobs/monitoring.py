"""The job that watches a model."""

from typing import Literal

from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.monitoring.monitor import monitor
from pipelines.monitoring.settings import MonitorSettings


class Monitor(Job, MonitorSettings):
    """Hold kept forecasts against what came; a breach is the outcome, and exit code 3."""

    job: Literal["monitor"]

    def work(self, turn: Turn) -> Outcome:
        report = monitor(self.settings(MonitorSettings, turn), turn.key)
        return Outcome(report.verdict, report.version, report.code)
