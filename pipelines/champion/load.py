"""Which artifact is asked, the champion or another, and data read as it was trained on."""

import logging
from pathlib import Path

import numpy as np

from forecaster.artifact import Artifact, digest
from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.evaluation.split import after
from pipelines.forecasting.ask import reading
from pipelines.forecasting.doubts import doubts
from pipelines.registry.fetch import Fetched, resolve
from pipelines.sources.read import read
from pipelines.sources.source import Source, source

log = logging.getLogger(__name__)


def chosen(name: str, model: str | None = None) -> Fetched:
    """The champion of a name, one of its versions, which are numbers, or the artifact in a folder, whose path is its
    version. Raises what `resolve` does, and DataError on a path where no folder is."""
    if model is not None and not model.isdigit() and Path(model).is_dir():
        folder = Path(model).absolute()
        return Fetched(name, model, digest(folder), folder)
    if model is not None and "/" in model:
        raise DataError(f"there is no folder {model!r}", remedy="name a version, or the folder of an artifact")
    return resolve(name, model)


def live(name: str, model: str | None = None) -> Artifact:
    """The artifact of what is `chosen`."""
    return chosen(name, model).artifact


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
