"""How good forecasts were, by day, by group, by step and in all."""

import numpy as np
import pandas as pd

from pipelines.monitoring.evidence import bounds

RISK = 0.05
"""How often the bounds of a share that is shown do not hold the true one."""
_MEANS = ["error", "promised_error", "naive_error", "quantile_loss", "bias", "promised_bias", "promised_coverage"]


def scores(rows: pd.DataFrame, by: str, *, alone: bool = False) -> pd.DataFrame:
    """A row by each value of a column: `forecasts` with an actual value, the mean `error` (of the median, in units of
    the series' in-sample error of seasonal naive: MASE) beside `promised_error` and `naive_error`, `quantile_loss`,
    `bias`, and `coverage` of the 80 % interval with its exact bounds `coverage_low` and `coverage_high`.

    Where rows are `alone` each one counts for itself, as within a day; else blocks do.
    """
    rows = rows[rows["actual"].notna()]
    cell, values = pd.factorize(rows[by], sort=True)
    block = np.arange(len(rows)) if alone else rows["block"].to_numpy()
    held = bounds(rows["inside"].to_numpy(), cell, block, len(values), RISK)
    told = rows.groupby(cell)[_MEANS].mean().reset_index(drop=True)
    told.insert(0, by, values)
    told.insert(1, "forecasts", held.rows.astype(int))
    return told.assign(coverage=held.share, coverage_low=held.low, coverage_high=held.high)


def in_all(rows: pd.DataFrame) -> dict[str, float]:
    """The same of all rows, and the share of those that are due whose actual value is `missing`."""
    told = scores(rows.assign(all="all"), "all").drop(columns="all")
    due = {"due": float(len(rows)), "missing": float(rows["actual"].isna().mean()) if len(rows) else float("nan")}
    return {str(name): float(told[name].iloc[0]) if len(told) else float("nan") for name in told} | due
