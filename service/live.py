"""What is live, and how a worker goes over to another version while it answers."""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from prometheus_client import Gauge
from prometheus_client.multiprocess import mark_process_dead
from starlette.applications import Starlette

from pipelines.registry.note import Note, refusal
from service.source import Champion, load_champion

if TYPE_CHECKING:
    from pipelines.streams.recall import Recall

SECONDS = 1.0
"""Between two looks at the note of the champion."""
PATIENCE = 30.0
"""Seconds until a version that could not be loaded is tried again."""

log = logging.getLogger("bentoml.forecaster")
workers = Gauge("forecaster_workers", "Workers that serve a version.", ["version"], multiprocess_mode="livesum")
refused = Gauge(
    "forecaster_champion_refused",
    "1 while the champion is not sound, or its note cannot be read, and the version before it is served.",
    multiprocess_mode="livemax",
)


@dataclass(frozen=True)
class Live:
    """A model that is served, with the documents that tell of it. A request is answered by one of these alone."""

    note: Note
    champion: Champion
    recall: "Recall"
    card: bytes
    openapi: bytes


def load(note: Note, file: Path) -> Live:
    """The version that a note, which lies in `file`, names; it has answered its example, so that the first request
    finds all warm."""
    from pipelines.streams.recall import Recall  # not above: the supervisor of the workers needs no torch
    from service.openapi import describe, document

    champion = load_champion(note, file)
    return Live(note, champion, Recall(champion.artifact), describe(champion), document(champion))


class Watch:
    """Watches the note of the champion for one worker."""

    def __init__(self, app: Starlette, file: Path) -> None:
        self.app, self.file = app, file
        self.tried: Note = app.state.live.note  # the note in the file may be another since it was loaded
        self.failure, self.said, self.again = "", "", 0.0
        _bury_dead()
        workers.labels(self.tried.version).set(1)
        refused.set(0)

    def look(self) -> None:
        """Serve what the note names. What cannot be loaded is refused: the version before it goes on."""
        reason = self._follow()
        refused.set(bool(reason))
        if reason and reason != self.said:
            log.error(reason)
        self.said = reason

    def _follow(self) -> str:
        """Go over to what the note names where that is another; says why the champion is not served."""
        try:
            note = Note.read(self.file)
        except (OSError, ValueError) as error:
            return f"the note of the champion cannot be read, and {self.tried.version} stays: {error}"
        if note != self.tried or (self.failure and time.monotonic() > self.again):
            self.failure = self._go_over(note)
            self.tried, self.again = note, time.monotonic() + PATIENCE
        refusing = refusal(self.file)
        return self.failure or (refusing.read_text() if refusing.exists() else "")

    def _go_over(self, note: Note) -> str:
        """Load a version and serve it; says what is wrong with it where it stays with the one before."""
        before: Live = self.app.state.live
        try:
            self.app.state.live = load(note, self.file)
        except Exception as error:  # whatever it is: the service goes on
            return f"version {note.version} is refused, and {before.champion.version} stays: {error}"
        workers.labels(before.champion.version).set(0)
        workers.labels(self.app.state.live.champion.version).set(1)
        log.info("version %s is served", self.app.state.live.champion.version)
        return ""


def _bury_dead() -> None:
    """Take what workers that were killed have counted out of the sums."""
    for counted in Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "nowhere")).glob("gauge_live*_*.db"):
        pid = int(counted.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid)  # type: ignore[no-untyped-call]


def watch(app: Starlette, file: Path) -> None:
    """Watch in the background, for as long as this process lives."""
    watching = Watch(app, file)

    def go() -> None:
        while True:
            time.sleep(SECONDS)
            try:
                watching.look()
            except Exception:
                log.exception("the champion could not be looked at")

    Thread(target=go, name="watch", daemon=True).start()
