"""Forecasts that are kept until what they tell of has come: a row per series, step and origin, in Parquet files."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet
from numpy import ndarray

from forecaster.durable import replacing
from forecaster.errors import DataError
from pipelines.clock.zone import local
from pipelines.forecasting.predict import Predictions

KEPT_LEVELS = (0.1, 0.5, 0.9)
"""Quantile levels that every forecast that is kept has."""
_NUMBERS = ("mean", *(f"q{level:g}" for level in KEPT_LEVELS))
_COLUMNS = {
    "unique_id": pa.string(),
    "step": pa.int64(),
    "issued_at": pa.timestamp("us", "UTC"),
    "version": pa.string(),
    **dict.fromkeys(_NUMBERS, pa.float64()),
}
"""What is read again, beside ds, whose type is the clock's."""


def rows(predictions: Predictions, model: str, version: str, issued_at: datetime, *, zone: str | None) -> pa.Table:
    """Forecasts as they are kept: unique_id, ds, step (from 1), origin (the last observation's time), issued_at,
    model, version, mean and a column per level. Of a model with a `zone` times are in UTC; of one without, they are on
    the wall clock of the request, as its data is."""
    series, horizon = predictions.mean.shape
    frequency, asked = predictions.frequency, predictions.zone
    ahead = np.tile(np.arange(horizon), series)
    clock = pa.int64() if frequency.is_step else pa.timestamp("ns", None if zone is None else "UTC")

    def times(steps: ndarray) -> pa.Array:
        found = frequency.advance(predictions.start.repeat(horizon), steps, asked)
        return pa.array(local(found, asked) if zone is None else found).cast(clock)

    columns = {
        "unique_id": pa.array(predictions.ids.astype(str), pa.string()).take(np.arange(series).repeat(horizon)),
        "ds": times(ahead),
        "step": pa.array(ahead + 1),
        "origin": times(np.full(len(ahead), -1)),
        "issued_at": pa.repeat(pa.scalar(issued_at, _COLUMNS["issued_at"]), len(ahead)),
        "model": pa.repeat(model, len(ahead)),
        "version": pa.repeat(version, len(ahead)),
        "mean": pa.array(predictions.mean.ravel()),
    }
    values = {f"q{level:g}": predictions.quantiles[..., k].ravel() for k, level in enumerate(predictions.levels)}
    return pa.table(columns | values)


def write_part(folder: Path, tables: list[pa.Table]) -> Path:
    """One more file in a folder by day, complete or not at all; a level that a table has not is empty there."""
    now = datetime.now(UTC)
    file = folder / f"{now:%Y-%m-%d}" / f"{now:%H%M%S}-{uuid4().hex[:12]}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as fresh:
        pyarrow.parquet.write_table(pa.concat_tables(tables, promote_options="default"), fresh, compression="zstd")
    return file


def read_kept(path: Path, model: str, *, steps: bool, zone: str | None, version: str | None = None) -> pd.DataFrame:
    """The forecasts of a model, or of one version, in a Parquet file or in all those of a folder.

    Columns: unique_id, ds (int64: UTC or wall-clock nanoseconds, or the integer step), step, version, mean, q0.1, q0.5,
    q0.9. Of two of one series, time and step the one that was issued later is there. Raises DataError.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))
    if not files:
        raise DataError(f"{path}: no forecasts are kept here", remedy="serve with FORECASTER_KEEP, or check the path")
    clock = pa.int64() if steps else pa.timestamp("ns", None if zone is None else "UTC")
    chosen = pc.field("model") == model
    if version is not None:
        chosen &= pc.field("version") == version
    try:
        data = pyarrow.dataset.dataset(
            [str(file) for file in files], schema=pa.schema({**_COLUMNS, "ds": clock, "model": pa.string()})
        )
        table = data.to_table([*_COLUMNS, "ds"], filter=chosen)
        there = [model] if table.num_rows else pc.drop_null(data.to_table(["model"])["model"].unique()).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: {error}", remedy="remove the file that is none of kept forecasts") from error
    if model not in there:
        remedy = f"choose from {', '.join(there)}" if there else "serve with FORECASTER_KEEP, or check the path"
        raise DataError(f"{path}: no forecasts of {model!r} are kept here", remedy=remedy)
    if lacking := [name for name in ("ds", *_NUMBERS) if table[name].null_count]:
        message = f"{path}: forecasts without {', '.join(lacking)}"
        raise DataError(message, remedy="keep the quantiles 0.1, 0.5 and 0.9 of every forecast")
    table = table.set_column(table.column_names.index("ds"), "ds", table["ds"].cast(pa.int64()))
    frame: pd.DataFrame = table.to_pandas().sort_values("issued_at", kind="stable", na_position="first")
    return frame.drop_duplicates(["unique_id", "ds", "step"], keep="last").drop(columns="issued_at")
