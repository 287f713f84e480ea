"""Registered models: their versions, which one is the champion, and how to get its artifact."""

import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow.artifacts
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from forecaster.errors import ArtifactError, DataError
from pipelines.pyfunc import FOLDER
from pipelines.registry.cache import Cache
from pipelines.registry.note import Note
from pipelines.runs.faults import UnavailableError, tell_full
from pipelines.tracking.connection import connect, tracking_uri
from pipelines.tracking.outbox import answering

log = logging.getLogger(__name__)

ALIAS = "champion"
DIGEST, TESTED, METRIC, PROMOTION = "digest", "tested", "metric.", "promotion."
"""Tags of a version: digests of its artifact and of what it was tested on, its scores, a record of each promotion."""


@dataclass(frozen=True)
class Promotion:
    """How a version became champion: when (UTC, ISO 8601), by whom, for which score, in whose place, why."""

    version: str
    at: str
    by: str
    metric: str
    value: float
    """NaN where it was not measured."""
    previous: str | None
    reason: str
    back: bool
    """Whether it had been the champion before and was called back."""


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    version: str
    digest: str
    created: datetime
    run_id: str
    tested: str
    """Digest of the origins that its metrics are of."""
    metrics: dict[str, float]
    promotions: tuple[Promotion, ...]
    champion: bool


@dataclass(frozen=True)
class Champion:
    """A model in a folder of this machine: a version of a registered one, which was checked, or what a user names."""

    name: str
    version: str
    digest: str
    folder: Path


@answering()
def register(
    name: str,
    model_uri: str,
    *,
    run_id: str,
    digest: str,
    metrics: Mapping[str, float],
    tested: str = "",
    description: str | None = None,
) -> str:
    """Make a model that `log_model` has logged a version of `name`, sealed by its digest; returns which.

    `tested` is the digest of what its metrics were measured by.
    """
    client = connect()
    model_id = model_uri.removeprefix("models:/")
    known = {METRIC + key: repr(float(value)) for key, value in metrics.items() if not math.isnan(value)}
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    location = client.get_logged_model(model_id).artifact_location  # MLflow looks for a URI in its global store
    tags = known | {DIGEST: digest, TESTED: tested}
    made = client.create_model_version(name, location, run_id, tags, description=description, model_id=model_id)
    return str(made.version)


@answering()
def registered(name: str, run_id: str, digest: str) -> str | None:
    """The version that a run has made of an artifact, if it has: a job that goes on after a crash makes no other."""
    found = connect().search_model_versions(f"name = '{name}' and run_id = '{run_id}'")
    return next((str(one.version) for one in found if one.tags.get(DIGEST) == digest), None)


@answering()
def versions(name: str) -> list[Version]:
    """Every version, oldest first; DataError where there is none."""
    client = connect()
    try:
        champion = client.get_registered_model(name).aliases.get(ALIAS)
    except MlflowException as error:
        raise _no_model(name) if _absent(error) else error from None
    if not (found := client.search_model_versions(f"name = '{name}'")):
        raise _no_model(name)
    return [_version(one, str(one.version) == str(champion)) for one in sorted(found, key=lambda one: int(one.version))]


def resolve(name: str, version: str | None = None) -> Champion:
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
        return Champion(name, last.version, last.digest, cache.folder / last.digest)
    champion = _fetch(client, found, cache)
    if version is None:
        Note(name=name, version=champion.version, digest=champion.digest).write(cache.note(name))
    return champion


def champion(name: str) -> Champion | None:
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
        if not _absent(error):
            raise
    every = numbers(versions(name))
    if version is not None:
        raise DataError(f"model {name!r} has no version {version!r}", remedy=f"take one of {every}")
    remedy = f"promote one of {every}: forecaster models promote VERSION --name {name}"
    raise DataError(f"model {name!r} has no champion yet", remedy=remedy)


def _fetch(client: MlflowClient, found: ModelVersion, cache: Cache) -> Champion:
    seal, title = found.tags.get(DIGEST, ""), f"version {found.version} of {found.name}"
    if re.fullmatch("[0-9a-f]{64}", seal) is None:
        raise ArtifactError(f"{title} has no digest: it was not registered by `forecaster train`")

    def download(scratch: Path) -> Path:
        source = f"{client.get_model_version_download_uri(found.name, found.version)}/artifacts/{FOLDER}"
        try:
            return Path(mlflow.artifacts.download_artifacts(source, dst_path=str(scratch), tracking_uri=tracking_uri()))
        except (MlflowException, OSError) as error:
            tell_full(error, cache.folder)
            raise ArtifactError(f"{title} cannot be fetched from its store: {error}") from error

    return Champion(found.name, str(found.version), seal, cache.artifact(seal, download))


def _version(one: ModelVersion, champion: bool) -> Version:
    return Version(
        name=one.name,
        version=str(one.version),
        digest=one.tags.get(DIGEST, ""),
        created=datetime.fromtimestamp(one.creation_timestamp / 1000, UTC),
        run_id=one.run_id or "",
        tested=one.tags.get(TESTED, ""),
        metrics={key.removeprefix(METRIC): float(v) for key, v in one.tags.items() if key.startswith(METRIC)},
        promotions=tuple(Promotion(**json.loads(v)) for key, v in one.tags.items() if key.startswith(PROMOTION)),
        champion=champion,
    )


def _absent(error: MlflowException) -> bool:
    return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def numbers(every: list[Version]) -> str:
    """The versions there are, in words."""
    return ", ".join(one.version for one in every)


def _no_model(name: str) -> DataError:
    return DataError(f"there is no model {name!r}", remedy=f"forecaster train DATA --horizon H --name {name} makes one")
