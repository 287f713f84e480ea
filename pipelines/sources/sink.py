"""Tables to files on this machine or by URL, and forecasts to tables of a database: complete or not at all."""

from pathlib import Path
from typing import IO

import numpy as np
import pandas as pd

from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.sources.files import naming
from pipelines.sources.source import Source, source
from pipelines.sources.sql import replace_rows
from pipelines.sources.storage import put

KEY = ("model", "unique_id", "origin")
"""What forecasts that are written again are known by."""


def check(out: Source | str | Path, data: Source | str | Path | None = None) -> None:
    """Raises DataError on a query, where the ending of a file does not say its format, and as `spare` does."""
    target = source(out)
    if data is not None:
        spare(out, data)
    if target.query is not None:
        raise DataError(f"{target}: nothing can be written to a query", remedy="name a table: url#table")
    if target.path is not None and not target.path.endswith((".csv", ".parquet")):
        raise DataError(f"{target}: the ending says the format", remedy="end it with .csv or .parquet")


def spare(out: Source | str | Path, data: Source | str | Path) -> None:
    """Raises DataError where what is written would be what is read, or lie in it and be read the next time."""
    target, origin = source(out).path, source(data).path
    if target is None or origin is None:
        return
    place = Path(target).resolve()
    if Path(origin).resolve() in (place, *place.parents):
        raise DataError(f"{target} is what is read, or lies in it", remedy="write to another place")


def write(frame: pd.DataFrame, out: str | Path) -> int:
    """Write a CSV or Parquet file, complete or not at all; returns the rows. Raises DataError where it cannot."""

    def content(file: IO[bytes]) -> None:
        if str(out).endswith(".csv"):
            frame.to_csv(file, index=False, mode="wb")
        else:
            frame.to_parquet(file, index=False)

    with naming(str(out), "check that it may be written there, and that there is room"):
        put(str(out), content)
    return len(frame)


def write_forecasts(frame: pd.DataFrame, panel: Panel, out: Source | str | Path, *, model: str, version: str) -> int:
    """Write the forecasts of `answer_frame` for every series of `panel`; returns the rows.

    The columns are those of `labelled`. A file is replaced. In a table the forecasts of the same model, series and
    origin are, in one transaction: to write twice changes nothing, and nobody sees half of it. Raises DataError.
    """
    check(out)
    target, rows = source(out), labelled(frame, panel, model, version)
    return write(rows, target.path) if target.path is not None else replace_rows(rows, target, KEY, "step")


def labelled(frame: pd.DataFrame, panel: Panel, model: str, version: str) -> pd.DataFrame:
    """A row per series, step and origin: unique_id, ds, step (from 1), origin, model, version, and what is forecast.

    `origin` is the time of the last observation that the forecast knew.
    """
    horizon = len(frame) // len(panel)
    last = panel.frequency.advance(panel.start, panel.lengths - 1, panel.zone)
    columns = {
        "step": np.tile(np.arange(1, horizon + 1), len(panel)),
        "origin": panel.frequency.stamps(last.repeat(horizon), panel.zone),
        "model": model,
        "version": version,
    }
    told = [name for name in frame.columns if name not in ("unique_id", "ds")]
    return frame.assign(**columns)[[*frame.columns.drop(told), *columns, *told]]
