"""Artifacts of registered models on this machine: fetched once, checked each time, there without MLflow."""

import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from forecaster.artifact import Artifact, digest, load_artifact
from forecaster.errors import ArtifactError
from pipelines.registry.note import Note

log = logging.getLogger(__name__)

UNUSED = 30 * 24 * 3600
"""Seconds after which an artifact is taken away that nobody asked for and that is no champion."""


class ForeignError(ArtifactError):
    """What a store holds is not what was registered."""


class Cache:
    """A folder of artifacts by their digests, and of the champion that each model had last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def holds(self, seal: str) -> bool:
        """Whether the artifact of this digest is here, every byte of it."""
        try:
            check(self.folder / seal, seal)
        except ArtifactError:
            return False
        return True

    def artifact(self, seal: str, fetch: Callable[[Path], Path]) -> Path:
        """The folder of the artifact of this digest; `fetch` brings it into a folder if it is not here.

        Raises ForeignError when what was fetched is not that artifact, and keeps nothing of it.
        """
        place = self.folder / seal
        with suppress(OSError):  # it may not be there, and whoever may read it may not say so
            os.utime(place)
        if self.holds(seal):
            return place
        self.folder.mkdir(parents=True, exist_ok=True)
        self._prune()
        with TemporaryDirectory(dir=self.folder) as scratch:
            fetched = fetch(Path(scratch))
            try:
                check(fetched, seal)
            except ArtifactError as error:
                told = str(error).removeprefix(f"{fetched}: ")  # where that was is of no use to anybody
                raise ForeignError(f"its store holds another artifact than was registered ({told})") from error
            try:
                fetched.replace(place)
            except OSError:  # there is one: another process was faster, or it is damaged
                if not self.holds(seal):
                    shutil.rmtree(place)
                    fetched.replace(place)
        return place

    def last(self, name: str) -> Note | None:
        """The champion that was noted last, where its artifact is here."""
        note = Note.last(self.note(name))
        return note if note is not None and self.holds(note.digest) else None

    def _prune(self) -> None:
        try:
            champions = {Note.read(file).digest for file in self.folder.glob("*.json")}
        except (OSError, ValueError) as error:  # then nobody knows what is one
            log.warning("old copies stay in %s, for a note cannot be read: %s", self.folder, error)
            return
        for place in self.folder.iterdir():
            with suppress(OSError):  # another process may do the same
                if place.is_dir() and place.name not in champions and place.stat().st_mtime < time.time() - UNUSED:
                    log.info("nobody asked for %s in a month: it is taken away", place)
                    shutil.rmtree(place)

    def note(self, name: str) -> Path:
        """The file that says which version of a model was the champion last."""
        return self.folder / f"{quote(name, safe='')}.json"


def check(folder: Path, seal: str) -> Artifact:
    """The artifact of this digest. Raises ArtifactError unless the folder holds it, every byte of it."""
    artifact = load_artifact(folder)
    if digest(folder) != seal:
        raise ArtifactError(f"{folder}: not the artifact that was registered (its digest differs)")
    return artifact
