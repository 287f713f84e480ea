"""The champion on a file: forecasts to a file, and backtests."""

import logging
from itertools import pairwise
from pathlib import Path

from forecaster.artifact import Artifact, load_artifact
from forecaster.errors import DataError
from pipelines.ask import Question, answer_frame, reading
from pipelines.backtest import backtest
from pipelines.engine import HERE, Engine
from pipelines.labels import unseen
from pipelines.panel import Panel
from pipelines.registry import resolve
from pipelines.sink import check, write
from pipelines.sources import read
from pipelines.split import ended, origins

log = logging.getLogger(__name__)

MOST = 100_000_000
"""Values in the sample paths of a file, which are held in memory."""
ORIGINS = 2**13
"""Series and origins that are backtested at a time."""


def score(
    data: Path,
    horizon: int | None,
    out: Path,
    levels: tuple[float, ...],
    *,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    name: str,
    model: str | None = None,
    zone: str | None = None,
    duplicates: str = "error",
) -> int:
    """Write the forecasts of every series to a CSV or Parquet file, complete or not at all; returns the rows.

    Without a horizon it is the one that the model was trained for.
    """
    check(out)
    artifact = live(name, model)
    horizon = horizon or artifact.spec.task.horizon
    panel = panel_for(artifact, data, zone, duplicates)
    if (values := len(panel) * horizon * paths) > MOST:
        message = f"{len(panel)} series x {horizon} steps x {paths} paths are {values} values, more than {MOST}"
        raise DataError(message, remedy="ask for fewer paths, or for a part of the series")
    return write(answer_frame(artifact, panel, Question(horizon, levels, paths, temperature, seed)), out)


def rolling(
    data: Path,
    horizon: int | None,
    windows: int,
    *,
    name: str,
    model: str | None = None,
    zone: str | None = None,
    duplicates: str = "error",
    engine: Engine = HERE,
) -> dict[str, float]:
    """Every score of the model on the last `windows` origins of a file, a horizon apart, or on its whole series."""
    artifact = live(name, model)
    panel = panel_for(artifact, data, zone, duplicates, answers=True)
    spec = artifact.spec
    cut = ended(panel) if panel.whole is not None else origins(panel, horizon or spec.task.horizon, windows)
    borders = pairwise([*range(0, len(cut.actual), ORIGINS), len(cut.actual)])
    parts = filter(None, (cut.rows(begin, end) for begin, end in borders))
    told = artifact.model, spec.data, spec.task.seasons[0]
    scores = list(engine.map(lambda part: backtest(*told, part, artifact.calibrator), parts))
    return type(scores[0]).joined(scores).metrics()


def live(name: str, model: str | None) -> Artifact:
    """The champion of a name, one of its versions, or the artifact in a folder."""
    return load_artifact(place(name, model))


def place(name: str, model: str | None) -> Path:
    """The folder of that artifact."""
    return Path(model) if model is not None and Path(model).is_dir() else resolve(name, model).folder


def panel_for(artifact: Artifact, data: Path, zone: str | None, duplicates: str, *, answers: bool = False) -> Panel:
    """A file read as the artifact's training data was, with or without the answers of whole series."""
    panel = read(data, **reading(artifact, zone, duplicates, answers=answers))
    for sentence in unseen(panel, artifact.spec.data):
        log.warning(sentence)
    return panel
