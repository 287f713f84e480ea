"""The command line as a user has it, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64
from numpy import ndarray

from forecaster.quantiles import LEVELS


def train(file: Path, folder: Path, horizon: int, *more: str) -> None:
    """`forecaster train` with further options."""
    _run(folder, "train", str(file), "--horizon", str(horizon), *more)


def forecast(file: Path, folder: Path, horizon: int) -> Float64[ndarray, "series horizon levels"]:
    """`forecaster forecast` by the champion, from the end of each series."""
    out, levels = folder / "forecasts.parquet", ",".join(str(level) for level in LEVELS)
    _run(folder, "forecast", str(file), "--horizon", str(horizon), "--out", str(out), "--quantiles", levels)
    columns = [f"q{level:g}" for level in LEVELS]
    return np.asarray(pd.read_parquet(out)[columns].to_numpy().reshape(-1, horizon, len(LEVELS)))


def _run(folder: Path, *command: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-m", "pipelines", *command], cwd=folder, env=environment, check=True)
