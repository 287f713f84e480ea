"""One MLflow run as a consumer: what a job has done is written down in few calls; no model knows of it."""

import json
import logging
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pandas as pd
from jaxtyping import Float64
from matplotlib.figure import Figure
from mlflow import MlflowClient
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunInfo
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import (
    MLFLOW_DATASET_CONTEXT,
    MLFLOW_LOGGED_ARTIFACTS,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from mlflow.utils.validation import (
    MAX_METRICS_PER_BATCH,
    MAX_PARAM_VAL_LENGTH,
    MAX_PARAMS_TAGS_PER_BATCH,
)
from numpy import ndarray

from pipelines.data.panel import Panel
from pipelines.faults import UnavailableError
from pipelines.tracking.connection import connect, experiment, user
from pipelines.tracking.dataset import described
from pipelines.tracking.outbox import Outbox, answering

log = logging.getLogger(__name__)

KEY = "forecaster.key"
"""The tag by which a run is found again, after a crash or where MLflow made it and the answer was lost."""


class Run:
    """A run in MLflow; nothing is active globally, so runs nest and run side by side.

    What it is told while MLflow does not answer is kept, and told as soon as MLflow does; the outermost run ends when
    all of it is told, or with an UnavailableError.
    """

    def __init__(
        self, experiment: str, name: str, parent: "Run | None", key: str | None, tags: Mapping[str, str]
    ) -> None:
        self.outbox: Outbox = parent.outbox if parent is not None else Outbox()
        self.experiment, self.name, self.parent, self.tags = experiment, name, parent, dict(tags)
        self.key = key if key is not None else uuid4().hex
        self.outbox.put(self._open)

    @classmethod
    @contextmanager
    def start(
        cls,
        experiment: str,
        name: str,
        *,
        parent: "Run | None" = None,
        key: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Iterator["Run"]:
        """A run, the one of this `key` if there is one; it ends FINISHED, FAILED or KILLED (Ctrl-C).

        Raises UnavailableError at the end where MLflow does not answer and there is no parent that is told later.
        """
        run = cls(experiment, name, parent, key, tags or {})
        try:
            with answering():
                yield run
        except UnavailableError:
            raise  # the run goes on
        except BaseException as error:
            run._give_up("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED")
            raise
        run.outbox.put(lambda: run._client.set_terminated(run._id, "FINISHED"))
        if parent is None:
            run.outbox.empty()

    @property
    def client(self) -> MlflowClient:
        """The client of the store, which has been told all; raises UnavailableError where it cannot be."""
        self.outbox.empty()
        return self._client

    @property
    def id(self) -> str:
        """The id in MLflow, which has been told all; raises UnavailableError where it cannot be."""
        self.outbox.empty()
        return self._id

    @property
    def experiment_id(self) -> str:
        """The id of the experiment; raises UnavailableError where MLflow cannot be told what waits."""
        self.outbox.empty()
        return self._experiment_id

    def params(self, values: Mapping[str, object]) -> None:
        """Parameters, cut at MLflow's limit; one that the run has already keeps its value."""
        params = [Param(key, str(value)[:MAX_PARAM_VAL_LENGTH]) for key, value in values.items()]

        def call() -> None:
            there = self._client.get_run(self._id).data.params
            new = [param for param in params if param.key not in there]
            for begin in range(0, len(new), MAX_PARAMS_TAGS_PER_BATCH):
                self._client.log_batch(self._id, params=new[begin : begin + MAX_PARAMS_TAGS_PER_BATCH])

        self.outbox.put(call)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Metrics at one step in one call; NaN, a value that is not known, is left out."""
        self.curve([values], [step])

    def curve(self, rows: Sequence[Mapping[str, float]], steps: Sequence[int]) -> None:
        """Metrics at many steps, such as a row per epoch, 1000 values a call; NaN is left out."""
        points = [
            (key, float(value), int(step))
            for row, step in zip(rows, steps, strict=True)
            for key, value in row.items()
            if not math.isnan(value)
        ]

        def call() -> None:
            # All at the time of the run's start: MLflow keeps one of two that are equal, and this may be done again.
            metrics = [Metric(key, value, self._began, step) for key, value, step in points]
            for begin in range(0, len(metrics), MAX_METRICS_PER_BATCH):
                self._client.log_batch(self._id, metrics=metrics[begin : begin + MAX_METRICS_PER_BATCH])

        self.outbox.put(call)

    def by_step(self, metrics: Mapping[str, Float64[ndarray, "steps"]]) -> None:
        """Metrics by step ahead or back: MLflow's step 1 is the first."""
        names, columns = list(metrics), [values.tolist() for values in metrics.values()]
        rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
        self.curve(rows, range(1, len(rows) + 1))

    def note(self, text: str) -> None:
        """What MLflow shows as the description."""
        self.outbox.put(lambda: self._client.set_tag(self._id, MLFLOW_RUN_NOTE, text))

    def dataset(self, panel: Panel, name: str, context: str) -> None:
        """The data that went in, by digest, columns and profile; `context` says what for, such as 'train'."""
        dataset = described(panel, name)
        inputs = [DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])]
        self.outbox.put(lambda: self._client.log_inputs(self._id, inputs))

    def figure(self, figure: Figure, path: str) -> None:
        """A picture; the ending of `path` says which kind."""
        self.outbox.put(lambda: self._client.log_figure(self._id, figure, path))

    def table(self, frame: pd.DataFrame, path: str) -> None:
        """A small table as `.json` that MLflow shows as a table, in place of one of that name."""
        text = frame.to_json(orient="split", index=False, date_format="iso", double_precision=15)

        def call() -> None:
            self._client.log_text(self._id, text, path)
            # As `log_table` does, which would add the rows of a job that goes on to those of its first attempt.
            tables = json.loads(self._client.get_run(self._id).data.tags.get(MLFLOW_LOGGED_ARTIFACTS, "[]"))
            if (entry := {"path": path, "type": "table"}) not in tables:
                self._client.set_tag(self._id, MLFLOW_LOGGED_ARTIFACTS, json.dumps([*tables, entry]))

        self.outbox.put(call)

    def _open(self) -> None:
        self._client = connect()
        self._experiment_id = experiment(self._client, self.experiment)
        found = self._client.search_runs([self._experiment_id], f"tags.`{KEY}` = '{self.key}'", max_results=1)
        if found:
            self._client.update_run(found[0].info.run_id, "RUNNING")
        info = found[0].info if found else self._create()
        self._id, self._began = str(info.run_id), int(info.start_time)

    def _create(self) -> RunInfo:
        own = {
            KEY: self.key,
            MLFLOW_USER: user(),
            MLFLOW_SOURCE_NAME: Path(sys.argv[0]).name,
            MLFLOW_SOURCE_TYPE: "LOCAL",
            **({MLFLOW_PARENT_RUN_ID: self.parent._id} if self.parent is not None else {}),
        }
        return self._client.create_run(self._experiment_id, run_name=self.name, tags=own | self.tags).info

    def _give_up(self, status: str) -> None:
        try:
            self.outbox.put(lambda: self._client.set_terminated(self._id, status))
        except MlflowException as error:  # what ended the run matters more, and is raised by the caller
            log.warning("MLflow was not told that run %s ended as %s: %s", self.name, status, error)
