"""The champion on a file: forecasts to a file, and backtests."""

import logging
from pathlib import Path

import numpy as np

from forecaster.artifact import Artifact, load_artifact
from pipelines.ask import Question, answer_frame
from pipelines.backtest import backtest
from pipelines.labels import unseen
from pipelines.panel import Panel
from pipelines.registry import resolve
from pipelines.sink import check, write, write_forecasts
from pipelines.source import Source, source
from pipelines.sources import read
from pipelines.split import after, ended, origins

log = logging.getLogger(__name__)


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
    """Write the forecasts of every series as `pipelines.sink.write_forecasts` does; returns the rows.

    A `plain` file is of the forecasts alone, without step, origin, model and version. Without a horizon it is the one
    that the model was trained for.
    """
    check(out)
    target, version = source(out), version_of(name, model)
    artifact = live(name, version)
    horizon = horizon or artifact.spec.task.horizon
    panel = panel_for(artifact, data, zone, duplicates, as_of=as_of)
    frame = answer_frame(artifact, panel, Question(horizon, levels, paths, temperature, seed))
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
) -> dict[str, float]:
    """Every score of the model on the last `windows` origins of a file, a horizon apart, or on its whole series."""
    artifact = live(name, model)
    panel = panel_for(artifact, data, zone, duplicates, answers=True, as_of=as_of)
    spec = artifact.spec
    cut = ended(panel) if panel.whole is not None else origins(panel, horizon or spec.task.horizon, windows)
    return backtest(artifact.model, spec.data, spec.task.seasons[0], cut, artifact.calibrator).metrics()


def version_of(name: str, model: str | None) -> str:
    """Which version of a name `live` loads; a folder stands for itself."""
    return model if model is not None and Path(model).is_dir() else resolve(name, model).version


def live(name: str, model: str | None) -> Artifact:
    """The champion of a name, one of its versions, or the artifact in a folder."""
    if model is not None and Path(model).is_dir():
        return load_artifact(Path(model))
    return load_artifact(resolve(name, model).folder)


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

    Later than `as_of` only what the model knows ahead of time is read.
    """
    spec = artifact.spec.data
    panel = read(
        data,
        frequency=spec.frequency,
        zone=zone or spec.zone,
        known=tuple(column.name for column in spec.known),
        past=tuple(column.name for column in spec.past),
        static=tuple(column.name for column in spec.static),
        duplicates=duplicates,
        whole=spec.whole.name if answers and spec.whole is not None else None,
        as_of=as_of if not spec.known else None,
    )
    if as_of is not None and spec.known:
        past = panel.lengths - after(panel, as_of)
        panel = panel.select(np.flatnonzero(past)).cut(past[past > 0])
    for sentence in unseen(panel, spec):
        log.warning(sentence)
    return panel
