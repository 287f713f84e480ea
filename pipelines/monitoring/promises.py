"""What the backtest of each version promised for each step ahead: the scores in the MLflow run that trained it."""

import logging
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecaster.errors import DataError
from pipelines.faults import UnavailableError
from pipelines.registry.versions import versions
from pipelines.tracking.connection import connect
from pipelines.tracking.outbox import answering
from pipelines.training.logbook import BY_STEP

log = logging.getLogger(__name__)

SCORES = {"mase": "promised_error", "bias": "promised_bias", "coverage_80": "promised_coverage"}
"""By the name of the backtest, what beside the forecasts says what was promised."""
_TYPES = {"version": str, "step": np.int64, **dict.fromkeys(SCORES.values(), np.float64)}


@dataclass(frozen=True)
class Promises:
    """By version, step and score; what nobody promised is not there."""

    table: pd.DataFrame
    """Columns version, step and those of `SCORES`."""

    def beside(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of forecasts, with what was promised of their version and step, NaN where nothing was."""
        return rows.merge(self.table, how="left", on=["version", "step"])


def promises(name: str, wanted: Collection[str]) -> Promises:
    """Those of the versions of a model that are wanted; none while MLflow does not answer."""
    try:
        found = [_of_run(one.version, one.run_id) for one in versions(name) if one.version in wanted]
    except (UnavailableError, DataError) as error:
        log.warning("what the backtest promised is not known: %s", error)
        found = []
    table = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(_TYPES))
    return Promises(table.astype(_TYPES))


@answering()
def _of_run(version: str, run_id: str) -> pd.DataFrame:
    client = connect()
    # A job that went on after a crash has told some steps twice, the same.
    columns = {
        column: {point.step: point.value for point in client.get_metric_history(run_id, score + BY_STEP)}
        for score, column in SCORES.items()
    }
    return pd.DataFrame(columns).rename_axis("step").reset_index().assign(version=version)
