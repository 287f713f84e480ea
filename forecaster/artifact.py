"""One artifact format everywhere: a folder of JSON and tensors, sealed by SHA-256 sums. Never a pickle."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load
from safetensors.torch import save as pack

from forecaster.build import build
from forecaster.conformal import Calibrator
from forecaster.durable import replacing
from forecaster.errors import ArtifactError
from forecaster.manifest import ArtifactSpec
from forecaster.model import Model
from forecaster.paths import CAUTIOUS, Dependence

SPEC, WEIGHTS, CALIBRATION, MANIFEST = "spec.json", "weights.safetensors", "calibration.json", "manifest.json"
DEPENDENCE = "dependence.safetensors"


@dataclass(frozen=True)
class Artifact:
    """A trained model with all that is needed to forecast."""

    spec: ArtifactSpec
    model: Model
    calibrator: Calibrator | None = None
    dependence: Dependence = CAUTIOUS
    """Of the steps of sample paths."""


def save(artifact: Artifact, folder: Path) -> str:
    """Write an artifact into a new folder, complete or not at all; returns its digest."""
    weights = {name: value.detach().cpu().contiguous() for name, value in artifact.model.state_dict().items()}
    contents = {SPEC: artifact.spec.model_dump_json(indent=1).encode(), WEIGHTS: pack(weights)}
    if artifact.calibrator is not None:
        contents[CALIBRATION] = artifact.calibrator.to_json().encode()
    if artifact.dependence is not CAUTIOUS:
        contents[DEPENDENCE] = artifact.dependence.to_bytes()
    contents[MANIFEST] = _manifest({name: _sum(content) for name, content in contents.items()})
    with replacing(folder) as fresh:
        fresh.mkdir(parents=True)
        for name, content in contents.items():
            (fresh / name).write_bytes(content)
    return digest(folder)


def load_artifact(folder: Path) -> Artifact:
    """Read what `save` wrote; the model is on the CPU and in evaluation mode.

    Raises ArtifactError when a file is missing, is not listed, or differs from what was sealed.
    """
    contents = _unseal(folder)
    try:
        spec = ArtifactSpec.model_validate_json(contents[SPEC])
        model = build(spec.model, spec.task)
        model.load_state_dict(load(contents[WEIGHTS]))
        calibrator = Calibrator.from_json(contents[CALIBRATION].decode()) if CALIBRATION in contents else None
        dependence = Dependence.from_bytes(contents[DEPENDENCE]) if DEPENDENCE in contents else CAUTIOUS
    except (KeyError, ValueError, SafetensorError, RuntimeError) as error:
        raise ArtifactError(f"{folder}: not an artifact that this version can read: {error}") from error
    return Artifact(spec, model.eval(), calibrator, dependence)


def digest(folder: Path) -> str:
    """SHA-256 of the manifest, which names all other sums: the identity of an artifact.

    Raises ArtifactError where there is none.
    """
    try:
        return _sum((folder / MANIFEST).read_bytes())
    except OSError as error:
        raise ArtifactError(f"{folder}: no readable artifact: {error}") from error


def _unseal(folder: Path) -> dict[str, bytes]:
    """The checked contents of every file. What is checked is what is used: each file is read once."""
    try:
        sealed = (folder / MANIFEST).read_bytes()
        sums = TypeAdapter(dict[str, str]).validate_json(sealed)
        contents = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != MANIFEST}
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{folder}: no readable artifact: {error}") from error
    if contents.keys() != sums.keys():
        raise ArtifactError(f"{folder}: has {sorted(contents)} where its manifest lists {sorted(sums)}")
    changed = [name for name, content in contents.items() if _sum(content) != sums[name]]
    if changed or _manifest(sums) != sealed:
        raise ArtifactError(f"{folder}: changed after it was written: {', '.join(changed) or MANIFEST}")
    return contents


def _manifest(sums: dict[str, str]) -> bytes:
    return json.dumps(sums, indent=1).encode()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
