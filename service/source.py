"""Which model is live: a note on disk and the artifact that it names, read into an immutable value."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.registry.note import Note

if TYPE_CHECKING:
    from forecaster.artifact import Artifact

VARIABLE = "FORECASTER_MODEL"
"""Environment variable with the note of the model to serve."""
WORKERS = "FORECASTER_WORKERS"
"""Environment variable with the number of processes that answer."""
SERVER = "FORECASTER_SERVER"
"""Environment variable with the process that starts the workers."""
NOTE = "champion.json"
PACKED = Path(__file__).resolve().parent.parent / "champion"
"""Where a Bento has its note and artifact, beside this package."""


@dataclass(frozen=True)
class Champion:
    """A model that is live."""

    name: str
    version: str
    artifact: "Artifact"


def stage(folder: Path, artifact: Path, name: str, version: str) -> Path:
    """Lay out `folder` (new) as a model to serve, with a copy of the `artifact` folder; returns its note."""
    from forecaster.artifact import digest  # the supervisor imports this module too and needs no torch

    note = Note(name=name, version=version, digest=digest(artifact))
    shutil.copytree(artifact, note.artifact(folder / NOTE))
    note.write(folder / NOTE)
    return folder / NOTE


def live_note() -> Path:
    """The note that the environment names, else that of the model packed into a Bento."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else PACKED / NOTE


def load_champion(note: Note, file: Path) -> Champion:
    """Read what a note, which lies in `file`, names. Raises ArtifactError or OSError where it is not sound."""
    from pipelines.registry.cache import check

    return Champion(note.name, note.version, check(note.artifact(file), note.digest))
