"""Tables to files."""

from pathlib import Path

import pandas as pd

from forecaster.durable import replacing
from forecaster.errors import DataError


def check(out: Path) -> None:
    """Raises DataError where the ending of a file does not say its format."""
    if out.suffix not in {".csv", ".parquet"}:
        raise DataError(f"{out}: the ending says the format", remedy="end it with .csv or .parquet")


def write(frame: pd.DataFrame, out: Path) -> int:
    """Write a CSV or Parquet file, complete or not at all; returns the rows."""
    with replacing(out) as fresh:
        if out.suffix == ".csv":
            frame.to_csv(fresh, index=False)
        else:
            frame.to_parquet(fresh, index=False)
    return len(frame)
