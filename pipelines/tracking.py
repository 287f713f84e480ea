"""One MLflow run as a consumer: what a job has done is written down in few calls; no model knows of it."""

import getpass
import json
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jaxtyping import Float64
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.telemetry import set_telemetry_client
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_LOGGED_ARTIFACTS,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from mlflow.utils.validation import (
    MAX_DATASET_DIGEST_SIZE,
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
)
from numpy import ndarray

from pipelines.panel import Panel

log = logging.getLogger(__name__)

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A dead server fails a call within seconds. As shipped, MLflow tries for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""How MLflow is used here, unless the environment says otherwise."""

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
# MLflow has read these while it was imported (and sent nothing yet): have it read them again.
set_telemetry_client()  # type: ignore[no-untyped-call]
logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])


def tracking_uri() -> str:
    """Where runs and models are kept: MLFLOW_TRACKING_URI, else a database in `mlruns` where we are."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    folder = Path("mlruns").absolute()
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"


def connect() -> MlflowClient:
    """A client of the store at `tracking_uri`, independent of MLflow's global state."""
    return MlflowClient(tracking_uri())


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return str(os.getuid())


@dataclass(frozen=True)
class Run:
    """A run in MLflow; nothing is active globally, so runs nest and run side by side."""

    client: MlflowClient
    experiment_id: str
    id: str

    @classmethod
    @contextmanager
    def start(
        cls,
        experiment: str,
        name: str,
        *,
        parent: "Run | None" = None,
        resume_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator["Run"]:
        """A new run, or `resume_id` where the store has it; it ends FINISHED, FAILED or KILLED (Ctrl-C)."""
        client = connect()
        experiment_id = _experiment(client, experiment)
        run_id = _resumed(client, resume_id, experiment_id) if resume_id is not None else None
        if run_id is None:
            own = {
                MLFLOW_USER: user(),
                MLFLOW_SOURCE_NAME: Path(sys.argv[0]).name,
                MLFLOW_SOURCE_TYPE: "LOCAL",
                **({MLFLOW_PARENT_RUN_ID: parent.id} if parent is not None else {}),
            }
            run_id = client.create_run(experiment_id, run_name=name, tags=own | dict(tags or {})).info.run_id
        run = cls(client, experiment_id, run_id)
        try:
            yield run
        except BaseException as error:
            run._give_up("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")

    def params(self, values: Mapping[str, object]) -> None:
        """Parameters, cut at MLflow's limit; one that the run has already keeps its value."""
        there = self.client.get_run(self.id).data.params
        new = [Param(key, str(value)[:MAX_PARAM_VAL_LENGTH]) for key, value in values.items() if key not in there]
        for begin in range(0, len(new), MAX_PARAMS_TAGS_PER_BATCH):
            self.client.log_batch(self.id, params=new[begin : begin + MAX_PARAMS_TAGS_PER_BATCH])

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Metrics at one step in one call; NaN, a value that is not known, is left out."""
        self.curve([values], [step])

    def curve(self, rows: Sequence[Mapping[str, float]], steps: Sequence[int]) -> None:
        """Metrics at many steps, such as a row per epoch, 1000 values a call; NaN is left out."""
        now = time.time_ns() // 1_000_000
        points = [
            Metric(key, float(value), now, int(step))
            for row, step in zip(rows, steps, strict=True)
            for key, value in row.items()
            if not math.isnan(value)
        ]
        for begin in range(0, len(points), MAX_METRICS_PER_BATCH):
            self.client.log_batch(self.id, metrics=points[begin : begin + MAX_METRICS_PER_BATCH])

    def by_step(self, metrics: Mapping[str, Float64[ndarray, "steps"]]) -> None:
        """Metrics by step ahead or back: MLflow's step 1 is the first."""
        names, columns = list(metrics), [values.tolist() for values in metrics.values()]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        self.curve(rows, range(1, len(rows) + 1))

    def dataset(self, panel: Panel, name: str, context: str) -> None:
        """The data that went in, by digest, columns and profile; `context` says what for, such as 'train'."""
        kinds = {
            "unique_id": "string",
            "ds": "long" if panel.frequency.is_step else "datetime",
            "y": "string" if panel.labels else "double",
        }
        kinds |= dict.fromkeys([*panel.known_names, *panel.past_names], "double")
        kinds |= dict.fromkeys(panel.static_names, "string")
        columns = [{"type": kind, "name": column, "required": True} for column, kind in kinds.items()]
        dataset = Dataset(
            name=name,
            digest=panel.digest[:MAX_DATASET_DIGEST_SIZE],
            source_type="local",
            source=json.dumps({"uri": name}),
            schema=json.dumps({"mlflow_colspec": columns}),
            profile=json.dumps(panel.profile),
        )
        self.client.log_inputs(self.id, [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])])

    def figure(self, figure: Figure, path: str) -> None:
        """A picture; the ending of `path` says which kind."""
        self.client.log_figure(self.id, figure, path)

    def table(self, frame: pd.DataFrame, path: str) -> None:
        """A small table as `.json` that MLflow shows as a table, in place of one of that name."""
        text = frame.to_json(orient="split", index=False, date_format="iso", double_precision=15)
        self.client.log_text(self.id, text, path)
        # As `log_table` does, which would add the rows of a job that goes on to those of its first attempt.
        tables = json.loads(self.client.get_run(self.id).data.tags.get(MLFLOW_LOGGED_ARTIFACTS, "[]"))
        if (entry := {"path": path, "type": "table"}) not in tables:
            self.client.set_tag(self.id, MLFLOW_LOGGED_ARTIFACTS, json.dumps([*tables, entry]))

    def artifact_folder(self, folder: Path, path: str) -> None:
        """All files of a folder, under `path`."""
        self.client.log_artifacts(self.id, str(folder), path)

    def _give_up(self, status: str) -> None:
        try:
            self.client.set_terminated(self.id, status)
        except MlflowException as error:  # what ended the run matters more, and is raised by the caller
            log.warning("MLflow was not told that run %s ended as %s: %s", self.id, status, error)


def _experiment(client: MlflowClient, name: str) -> str:
    """The id of an experiment, made if need be; artifacts lie beside a local database or on the server."""
    if (found := client.get_experiment_by_name(name)) is not None:
        return str(found.experiment_id)
    _, local, database = tracking_uri().partition("sqlite:///")
    artifacts = (Path(database).absolute().parent / "artifacts").as_uri() if local else None
    try:
        return client.create_experiment(name, artifact_location=artifacts)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return _experiment(client, name)  # another job was faster


def _resumed(client: MlflowClient, run_id: str, experiment_id: str) -> str | None:
    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    if run.info.lifecycle_stage != "active" or run.info.experiment_id != experiment_id:
        return None
    client.update_run(run_id, "RUNNING")
    return run_id
