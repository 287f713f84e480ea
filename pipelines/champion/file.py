"""The champion on a file: forecasts to a file, and backtests."""

import logging
from itertools import pairwise
from pathlib import Path

import numpy as np

from forecaster.artifact import Artifact, load_artifact
from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.evaluation.backtest import backtest
from pipelines.evaluation.split import after, ended, origins
from pipelines.forecasting.ask import Question, answer_frame, reading
from pipelines.forecasting.doubts import doubts
from pipelines.registry.versions import resolve
from pipelines.runs.engine import HERE, Engine
from pipelines.sources.read import read
from pipelines.sources.sink import check, write, write_forecasts
from pipelines.sources.source import Source, source

log = logging.getLogger(__name__)

ORIGINS = 2**13
"""Series and origins that are backtested at a time."""


def score(
    data: Source | str | Path,
    horizon: int | None,
    out: Source | str | Path,
    levels: tuple[float, ...],
    *,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    name: str,
    model: str | None = None,
    zone: str | None = None,
    duplicates: str = "error",
    as_of: str | None = None,
    plain: bool = False,
) -> int:
    """Write the forecasts of every series as `pipelines.sources.sink.write_forecasts` does; returns the rows.

    A `plain` file is of the forecasts alone, without step, origin, model and version. Without a horizon it is the one
    that the model was trained for.
    """
    check(out, data)
    target, version = source(out), version_of(name, model)
    artifact = live(name, version)
    question = Question(horizon or artifact.spec.task.horizon, levels, paths, temperature, seed)
    panel = panel_for(artifact, data, zone, duplicates, as_of=as_of)
    frame = answer_frame(artifact, panel, question)
    if plain and target.path is not None:
        return write(frame, target.path)
    return write_forecasts(frame, panel, target, model=name, version=version)


def rolling(
    data: Source | str | Path,
    horizon: int | None,
    windows: int,
    *,
    name: str,
    model: str | None = None,
    zone: str | None = None,
    duplicates: str = "error",
    as_of: str | None = None,
    engine: Engine = HERE,
) -> dict[str, float]:
    """Every score of the model on the last `windows` origins of a file, a horizon apart, or on its whole series."""
    artifact = live(name, model)
    panel = panel_for(artifact, data, zone, duplicates, answers=True, as_of=as_of)
    spec = artifact.spec
    cut = ended(panel) if panel.whole is not None else origins(panel, horizon or spec.task.horizon, windows)
    if np.isnan(cut.actual).all():
        raise DataError("nothing is known of what was to be forecast", remedy="ask for a shorter horizon, or give more")
    borders = pairwise([*range(0, len(cut.actual), ORIGINS), len(cut.actual)])
    parts = filter(None, (cut.rows(begin, end) for begin, end in borders))
    told = artifact.model, spec.data, spec.task.seasons[0]
    scores = list(engine.map(lambda part: backtest(*told, part, artifact.calibrator), parts))
    return type(scores[0]).joined(scores).metrics()


def version_of(name: str, model: str | None) -> str:
    """Which version of a name `live` loads; a folder stands for itself."""
    return model if model is not None and Path(model).is_dir() else resolve(name, model).version


def live(name: str, model: str | None) -> Artifact:
    """The champion of a name, one of its versions, or the artifact in a folder."""
    return load_artifact(place(name, model))


def place(name: str, model: str | None) -> Path:
    """The folder of that artifact."""
    return Path(model) if model is not None and Path(model).is_dir() else resolve(name, model).folder


def panel_for(
    artifact: Artifact,
    data: Source | str | Path,
    zone: str | None,
    duplicates: str,
    *,
    answers: bool = False,
    as_of: str | None = None,
) -> Panel:
    """A source read as the artifact's training data was, with or without the answers of whole series.

    Later than `as_of` only what the model knows ahead of time is read. Raises DataError where nothing else is left.
    """
    spec = artifact.spec.data
    options = reading(artifact, zone, duplicates, answers=answers)
    panel = read(data, **options, as_of=as_of if not spec.known else None)
    if as_of is not None and spec.known:
        past = panel.observed(panel.lengths - after(panel, as_of))
        if not past.any():
            raise DataError(f"{source(data)}: no row is as early as {as_of}", remedy="give a later as-of")
        panel = panel.select(np.flatnonzero(past)).cut(past[past > 0])
    for sentence in doubts(artifact, panel):
        log.warning(sentence)
    return panel
