"""Job files: small YAML that says what is to be done."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from forecaster.errors import DataError
from pipelines.jobs.ingest import Ingest
from pipelines.jobs.models import Backtest, Package, Promote, Score
from pipelines.jobs.monitoring import Monitor
from pipelines.jobs.training import Retrain, Train

Kinds = Annotated[Ingest | Train | Retrain | Backtest | Score | Promote | Package | Monitor, Field(discriminator="job")]
_adapter: TypeAdapter[Kinds] = TypeAdapter(Kinds)


def read_job(file: Path) -> Kinds:
    """The job in a YAML file. Raises DataError, which names the file and the key, on what is none."""
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(written, dict):
            raise DataError("no job", place=str(file), remedy="write a mapping: job: retrain, name: ...")
        return _adapter.validate_python(written)
    except ValidationError as error:
        problem = error.errors()[0]
        key = ".".join(str(part) for part in problem["loc"][1:])
        raise DataError(problem["msg"], place=f"{file}, {key}" if key else str(file)) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"no job can be read: {error}", place=str(file)) from None
