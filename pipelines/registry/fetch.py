"""The champion of a name, or one of its versions, as an artifact on this machine."""

import logging
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from forecaster.artifact import Artifact, load_artifact
from forecaster.errors import ArtifactError, DataError
from pipelines.faults import UnavailableError, tell_full
from pipelines.pyfunc import FOLDER
from pipelines.registry.cache import Cache, ForeignError
from pipelines.registry.note import Note
from pipelines.registry.versions import ALIAS, DIGEST, absent, numbers, versions
from pipelines.tracking.connection import connect, tracking_uri
from pipelines.tracking.outbox import answering

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fetched:
    """A model in a folder of this machine: a version of a registered one, which was checked, or what a user names."""

    name: str
    version: str
    digest: str
    folder: Path

    @cached_property
    def artifact(self) -> Artifact:
        """What the folder holds, read once."""
        return load_artifact(self.folder)


def resolve(name: str, version: str | None = None) -> Fetched:
    """The champion of `name`, or one of its versions, fetched into `mlruns/cache` and checked.

    While MLflow does not answer, it is the champion that was fetched last. Raises DataError where there is no
    such model, version or champion, ArtifactError where the artifact is not the one that was registered, and
    UnavailableError where MLflow does not answer and there is no copy.
    """
    cache = copies()
    try:
        with answering():
            client = connect()
            found = _find(client, name, version)
    except UnavailableError as error:
        last = cache.last(name)
        if last is None or version not in (None, last.version):
            raise
        log.warning("version %s of %s was fetched before and is used: %s", last.version, name, error)
        return Fetched(name, last.version, last.digest, cache.folder / last.digest)
    champion = _fetch(client, found, cache)
    if version is None:
        Note(name=name, version=champion.version, digest=champion.digest).write(cache.note(name))
    return champion


def champion(name: str) -> Fetched | None:
    """As `resolve`, but None where there is no champion yet."""
    try:
        return resolve(name)
    except DataError:
        return None


@answering()
def named(name: str) -> Note:
    """The champion as MLflow names it; raises what `resolve` does, but reads and checks no artifact."""
    found = _find(connect(), name, None)
    return Note(name=name, version=str(found.version), digest=found.tags.get(DIGEST, ""))


def copies() -> Cache:
    """The artifacts on this machine."""
    return Cache(Path("mlruns", "cache").absolute())


def _find(client: MlflowClient, name: str, version: str | None) -> ModelVersion:
    try:
        if version is None:
            return client.get_model_version_by_alias(name, ALIAS)
        return client.get_model_version(name, version)
    except MlflowException as error:
        if not absent(error):
            raise
    every = numbers(versions(name))
    if version is not None:
        raise DataError(f"model {name!r} has no version {version!r}", remedy=f"take one of {every}")
    remedy = f"promote one of {every}: forecaster models promote VERSION --name {name}"
    raise DataError(f"model {name!r} has no champion yet", remedy=remedy)


def _fetch(client: MlflowClient, found: ModelVersion, cache: Cache) -> Fetched:
    seal, title = found.tags.get(DIGEST, ""), f"version {found.version} of {found.name}"
    if re.fullmatch("[0-9a-f]{64}", seal) is None:
        raise ArtifactError(f"{title} has no digest: it was not registered by `forecaster train`")

    def download(scratch: Path) -> Path:
        source = f"{client.get_model_version_download_uri(found.name, found.version)}/artifacts/{FOLDER}"
        try:
            return Path(mlflow.artifacts.download_artifacts(source, dst_path=str(scratch), tracking_uri=tracking_uri()))
        except (MlflowException, OSError) as error:
            tell_full(error, cache.folder)
            raise ArtifactError(f"{title} cannot be fetched from its store (was it moved?): {error}") from error

    try:
        return Fetched(found.name, str(found.version), seal, cache.artifact(seal, download))
    except ForeignError as error:
        raise ArtifactError(f"{title}: {error}; roll back, or train again") from error
