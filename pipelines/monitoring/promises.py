"""What the backtest of each version promised for each step ahead: the scores in the MLflow run that trained it."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException

from forecaster.errors import DataError
from pipelines.logbook import BY_STEP
from pipelines.registry import versions
from pipelines.tracking import connect

log = logging.getLogger(__name__)

SCORES = {"mase": "promised_error", "bias": "promised_bias", "coverage_80": "promised_coverage"}
"""By the name of the backtest, what beside the forecasts says what was promised."""


@dataclass(frozen=True)
class Promises:
    """By version, step and score; what nobody promised is not there."""

    table: pd.DataFrame
    """Columns version, step and those of `SCORES`."""

    def beside(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of forecasts, with what was promised of their version and step, NaN where nothing was."""
        return rows.merge(self.table, how="left", on=["version", "step"])


def promises(name: str) -> Promises:
    """Those of all versions of a model; none while MLflow does not answer, or knows no such model."""
    try:
        found = [_of_run(one.version, one.run_id) for one in versions(name) if one.run_id]
    except (MlflowException, DataError) as error:
        log.warning("what the backtest promised is not known: %s", error)
        found = []
    empty = pd.DataFrame({"version": pd.Series(dtype=str), "step": pd.Series(dtype=np.int64)})
    table = pd.concat([empty, *found], ignore_index=True) if found else empty
    return Promises(table.reindex(columns=["version", "step", *SCORES.values()]).astype(_TYPES))


_TYPES = {"version": str, "step": np.int64, **dict.fromkeys(SCORES.values(), np.float64)}


def _of_run(version: str, run_id: str) -> pd.DataFrame:
    client = connect()
    # A job that went on after a crash has told some steps twice, the same.
    columns = {
        column: {point.step: point.value for point in client.get_metric_history(run_id, score + BY_STEP)}
        for score, column in SCORES.items()
    }
    frame = pd.DataFrame(columns).rename_axis("step").reset_index()
    return frame.assign(version=version)
