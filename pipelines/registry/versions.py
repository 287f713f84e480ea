"""Registered models: their versions, with scores and promotions, and which one is the champion."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from forecaster.errors import DataError
from pipelines.tracking.connection import connect
from pipelines.tracking.outbox import answering

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
        raise _no_model(name) if absent(error) else error from None
    if not (found := client.search_model_versions(f"name = '{name}'")):
        raise _no_model(name)
    return [_version(one, str(one.version) == str(champion)) for one in sorted(found, key=lambda one: int(one.version))]


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


def absent(error: MlflowException) -> bool:
    """Whether MLflow says that there is no such thing."""
    return error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")


def numbers(every: list[Version]) -> str:
    """The versions there are, in words."""
    return ", ".join(one.version for one in every)


def _no_model(name: str) -> DataError:
    return DataError(f"there is no model {name!r}", remedy=f"forecaster train DATA --horizon H --name {name} makes one")
