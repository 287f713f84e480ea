"""The job that brings what is new in a source into a store of Parquet partitions."""

from typing import Literal

from pipelines.fields import Text, ZoneName
from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.sources.ingest import ingest
from pipelines.sources.source import Source


class Ingest(Job):
    """Add a partition to a store; a job that reads the store says `duplicates: last`."""

    job: Literal["ingest"]
    source: Source
    store: str
    """A folder, on this machine or by URL."""
    late: Text = "0"
    """How far back what was read before is read once more, for what came late: 2d, 36h."""
    zone: ZoneName = None

    def work(self, turn: Turn) -> Outcome:
        done = ingest(self.source, self.store, turn.as_of or self.today(), late=self.late, zone=self.zone)
        series = f"{done.appeared} series appeared, {done.vanished} vanished"
        return Outcome(f"{done.rows} rows, {done.again} of them late or again, in {done.file}; {series}")
