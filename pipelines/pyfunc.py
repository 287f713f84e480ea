"""The artifact as an MLflow model, for people who work with MLflow: `load_model`, `mlflow models serve`.

MLflow runs the code that it finds in its store, so whoever loads a model this way has to trust the store.
`pipelines.registry.fetch.resolve` runs no code from the store; the service and the command line go that way.

The code in the store is the import of `ForecastModel` from here, so neither ever gets another name.
"""

import logging
import shutil
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType

from forecaster.artifact import Artifact, load_artifact
from forecaster.errors import DataError
from forecaster.manifest import ArtifactSpec, DataSpec
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.forecasting.ask import Question, answer_frame, reading
from pipelines.forecasting.doubts import doubts
from pipelines.forecasting.predict import TENTHS
from pipelines.tracking.run import Run

log = logging.getLogger(__name__)

FOLDER = "artifact"
"""The artifact's folder in an MLflow model is `artifacts/artifact`."""
NEEDED = ("mlflow", "torch", "numpy", "pandas", "pyarrow", "pydantic", "safetensors", "jaxtyping")
EXAMPLE = 48
"""Rows of history in the input example."""
CODE = '''"""Nothing but the name of the model: the code is that of the installed package."""

from mlflow.models import set_model

from pipelines.pyfunc import ForecastModel

set_model(ForecastModel())
'''


class ForecastModel(PythonModel):
    """Forecasts of a table in the long form.

    The input has the columns unique_id, ds and y and the covariates of the model; those known ahead have rows
    with an empty y for the whole horizon. `params` are `horizon`, `quantiles`, and of joint sample paths how many
    (`paths`), their `temperature` and their `seed`. The output has a row per series and step: unique_id, ds, mean, a
    column per quantile, q0.1 for the level 0.1, and one per path, path.1, path.2 ...
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Read the artifact; ArtifactError where it is not as it was written."""
        self.artifact = load_artifact(Path(context.artifacts[FOLDER]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002  # MLflow calls it by these names
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """The forecasts; an MlflowException names the series, the place and the remedy."""
        try:
            return forecast(self.artifact, model_input, params or {})
        except DataError as error:
            # With MLflow's own error the server answers in its words, and with no stack trace.
            raise MlflowException.invalid_parameter_value(str(error)) from error


def forecast(artifact: Artifact, frame: pd.DataFrame, params: Mapping[str, Any]) -> pd.DataFrame:
    """Forecasts of a table in the long form, see `ForecastModel`; DataError where they cannot be made."""
    horizon = int(params.get("horizon", artifact.spec.task.horizon))
    levels = tuple(sorted({float(level) for level in params.get("quantiles", TENTHS)}))
    sampling = int(params.get("paths", 0)), float(params.get("temperature", 1)), int(params.get("seed", 0))
    question = Question(horizon, levels, *sampling)
    panel = panel_from_frame(frame, **reading(artifact, None, "error"))
    for sentence in doubts(artifact, panel):
        log.warning(sentence)
    return answer_frame(artifact, panel, question)


def log_model(run: Run, folder: Path, panel: Panel) -> str:
    """Log the artifact in `folder` as a model of `run`, with an example cut from `panel`; returns its URI."""
    spec = load_artifact(folder).spec
    model = run.client.create_logged_model(run.experiment_id, name=spec.candidate, source_run_id=run.id)
    with TemporaryDirectory() as scratch:
        code, copy, packed = Path(scratch, "model.py"), Path(scratch, FOLDER), Path(scratch, "packed")
        code.write_text(CODE)
        shutil.copytree(folder, copy)
        mlflow.pyfunc.save_model(
            packed,
            python_model=code,
            artifacts={FOLDER: copy.as_uri()},
            signature=signature(spec),
            input_example=(
                example(panel, spec),
                {"horizon": spec.task.horizon, "quantiles": [0.1, 0.5, 0.9]},
            ),
            pip_requirements=[f"{name}=={version(name).partition('+')[0]}" for name in NEEDED],
            mlflow_model=Model(artifact_path=model.model_uri, model_id=model.model_id, run_id=run.id),
        )
        run.client.log_model_artifacts(model.model_id, str(packed))
    run.client.finalize_logged_model(model.model_id, "READY")
    run.client.log_outputs(run.id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_uri)


def signature(spec: ArtifactSpec) -> ModelSignature:
    """Columns and parameters of `ForecastModel`.

    Times are ISO 8601 text, time stamps or integer steps, and a column of doubles would refuse whole numbers:
    these columns are of any type, and the panel checks what is in them.
    """
    data = spec.data
    numbers = ["ds", "y", *(column.name for column in (*data.known, *data.past))]
    anything = AnyType()  # type: ignore[no-untyped-call]
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec("string", "unique_id"),
        *(ColSpec(anything, name) for name in numbers),
        *(ColSpec("string", column.name) for column in data.static),
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec("string", "unique_id"),
        *([ColSpec("long" if data.frequency == "step" else "datetime", "ds")] if data.whole is None else []),
        *_answers(data),
    ]
    params = [
        ParamSpec("horizon", "long", spec.task.horizon),
        ParamSpec("quantiles", "double", list(TENTHS), shape=(-1,)),
        ParamSpec("paths", "long", 0),
        ParamSpec("temperature", "double", 1.0),
        ParamSpec("seed", "long", 0),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs), ParamSchema(params))


def _answers(data: DataSpec) -> list[ColSpec]:
    if data.labels:
        return [ColSpec("string", "label"), *(ColSpec("double", f"p.{label}") for label in data.labels)]
    return [ColSpec("double", name) for name in ("mean", *(f"q{level:g}" for level in TENTHS))]


def example(panel: Panel, spec: ArtifactSpec) -> pd.DataFrame:
    """The end of the longest series as JSON takes it: times as ISO 8601 text, None for what is not known."""
    longest = panel.select([int(np.argmax(panel.lengths))])
    ahead = (
        spec.task.horizon if spec.data.known and spec.data.whole is None else 0
    )  # what is known ahead has to be given ahead
    longest = longest.cut(np.maximum(longest.lengths - ahead, 1))
    frame = longest.frame().iloc[: int(longest.lengths[0]) + ahead].tail(EXAMPLE + ahead)
    if not panel.frequency.is_step:
        frame["ds"] = frame["ds"].map(pd.Timestamp.isoformat)
    return frame.astype(object).where(frame.notna(), None)
