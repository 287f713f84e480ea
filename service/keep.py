"""Keeps what was answered, off the way of the request: a bounded line, and a thread that writes Parquet files."""

import hashlib
import logging
import os
import queue
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from prometheus_client import Counter

from forecaster.errors import DataError

if TYPE_CHECKING:
    from pipelines.forecasting.predict import Predictions
    from service.source import Champion

FOLDER, SHARE = "FORECASTER_KEEP", "FORECASTER_KEEP_SHARE"
"""Environment variables: the folder to keep forecasts in, and the share of the series whose forecasts are kept."""
WAITING = 2_000_000
"""Steps of forecasts that may wait to be written; what comes on top is not kept, and counted."""
ROWS, SECONDS = 500_000, 300.0
"""A file is written when it has so many rows, or is so old."""

log = logging.getLogger("bentoml.forecaster")
kept = Counter("forecaster_kept", "Forecast steps that were written to FORECASTER_KEEP.")
dropped = Counter("forecaster_dropped", "Forecast steps to keep that were not: too many were waiting, or no room.")


def sampled(series: str, share: float) -> bool:
    """Whether a series is among a share of all: always the same ones, whoever asks.

    >>> sampled("a", 1.0), sampled("a", 0.0)
    (True, False)
    """
    digest = hashlib.blake2b(series.encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


class Keeping(NamedTuple):
    """What the environment says of keeping."""

    folder: Path
    share: float


def keeping() -> Keeping | None:
    """As the environment says, None where nothing is kept. Raises ValueError, or OSError where the folder cannot be."""
    folder, told = os.environ.get(FOLDER), os.environ.get(SHARE, "1")
    try:
        share = float(told)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{SHARE} is {told}, and a share is between 0 and 1")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Keeping(Path(folder).absolute(), share)


class Answered(NamedTuple):
    """Forecasts in line."""

    at: datetime
    model: str
    version: str
    zone: str | None
    """Of the model."""
    predictions: "Predictions"


class Keeper:
    """Keeps forecasts until it is closed."""

    def __init__(self, where: Keeping) -> None:
        self.folder, self.share = where
        self.line: queue.SimpleQueue[Answered | None] = queue.SimpleQueue()
        self.waiting, self.lock = 0, threading.Lock()
        self.thread = threading.Thread(target=self._work, name="keep", daemon=True)
        self.thread.start()

    def keep(self, champion: "Champion", predictions: "Predictions") -> None:
        """Put forecasts of a model in line, at once: where it is full they are dropped and counted.

        Only series of the share enter the line, with the mean and `pipelines.monitoring.kept.KEPT_LEVELS`, whatever was
        asked for.
        """
        from pipelines.monitoring.kept import KEPT_LEVELS  # not above: the supervisor of the workers needs no torch

        levels = [predictions.levels.index(level) for level in KEPT_LEVELS]
        no_paths = np.empty((len(predictions.ids), 0, predictions.mean.shape[1]))
        light = replace(predictions, levels=KEPT_LEVELS, quantiles=predictions.quantiles[..., levels], paths=no_paths)
        light = light.select(np.flatnonzero([sampled(str(series), self.share) for series in predictions.ids]))
        size = light.mean.size
        with self.lock:
            full = self.waiting + size > WAITING
            self.waiting += 0 if full else size
        if full:
            dropped.inc(size)
        elif size:
            zone = champion.artifact.spec.data.zone
            self.line.put(Answered(datetime.now(UTC), champion.name, champion.version, zone, light))

    def close(self) -> None:
        """Write what waits, and end."""
        self.line.put(None)
        self.thread.join(10)

    def _work(self) -> None:
        going = True
        while going:
            made, size, going = self._gather()
            try:
                self._write(made)
            except Exception:  # a full disk, say: the service answers on, and keeps again when there is room
                dropped.inc(size)
                log.exception("%d forecast steps could not be kept in %s", size, self.folder)
            with self.lock:
                self.waiting -= size

    def _gather(self) -> tuple[list[Answered], int, bool]:
        """What comes until a file is large or old enough, its steps, and whether more may come."""
        made, size = list[Answered](), 0
        late = time.monotonic() + SECONDS
        while size < ROWS:
            try:
                came = self.line.get(timeout=max(0.0, late - time.monotonic()))
            except queue.Empty:
                return made, size, True
            if came is None:
                return made, size, False
            made.append(came)
            size += came.predictions.mean.size
        return made, size, True

    def _write(self, made: list[Answered]) -> None:
        from pipelines.monitoring.kept import rows, write_part

        of_clock = dict[Any, list[Any]]()  # champions that follow one another may read time differently
        for one in made:
            try:
                table = rows(one.predictions, one.model, one.version, one.at, zone=one.zone)
                of_clock.setdefault(table["ds"].type, []).append(table)
            except DataError as error:  # of times that no clock has: those of the others are kept
                dropped.inc(one.predictions.mean.size)
                log.warning("forecasts of %s could not be kept: %s", one.model, error)
        for tables in of_clock.values():
            write_part(self.folder, tables)
            kept.inc(sum(table.num_rows for table in tables))
