"""Which model is live: a folder on disk, read once into an immutable value."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from forecaster.artifact import Artifact

VARIABLE = "FORECASTER_MODEL"
"""Environment variable with the folder of the model to serve."""
PACKED = Path(__file__).resolve().parent.parent / "champion"
"""Where a Bento has its model, beside this package."""


class Named(BaseModel):
    """`champion.json`: what the registry calls the artifact beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str


@dataclass(frozen=True)
class Champion:
    """A model that is live."""

    name: str
    version: str
    artifact: "Artifact"


def stage(folder: Path, artifact: Path, name: str, version: str) -> Path:
    """Lay out `folder` (new) as a model to serve: champion.json and a copy of the `artifact` folder."""
    shutil.copytree(artifact, folder / "artifact")
    (folder / "champion.json").write_text(Named(name=name, version=version).model_dump_json())
    return folder


def live_folder() -> Path:
    """The folder that the environment names, else the model packed into a Bento."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else PACKED


def load_champion(folder: Path) -> Champion:
    """Read a folder as `stage` writes it. Raises ArtifactError or OSError where it is not sound."""
    from forecaster.artifact import load_artifact  # the supervisor imports this module too and needs no torch

    named = Named.model_validate_json((folder / "champion.json").read_bytes())
    return Champion(named.name, named.version, load_artifact(folder / "artifact"))
