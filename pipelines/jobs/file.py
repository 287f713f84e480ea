"""Job files: small YAML that says what is to be done."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from pipelines.jobs.ingest import Ingest
from pipelines.jobs.models import Backtest, Package, Promote, Score
from pipelines.jobs.monitoring import Monitor
from pipelines.jobs.training import Retrain, Train
from pipelines.written import read_yaml

Kinds = Annotated[Ingest | Train | Retrain | Backtest | Score | Promote | Package | Monitor, Field(discriminator="job")]
_adapter: TypeAdapter[Kinds] = TypeAdapter(Kinds)


def read_job(file: Path) -> Kinds:
    """The job in a YAML file. Raises DataError, which names the file and the key, on what is none."""
    return read_yaml(file, _adapter, "job")
