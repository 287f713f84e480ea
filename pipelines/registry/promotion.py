"""Who made which version the champion, when and why: one process at a time, and back again."""

import json
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime

from forecaster.errors import DataError
from pipelines.registry.versions import ALIAS, PROMOTION, Promotion, Version, numbers, versions
from pipelines.runs.ledger import open_ledger
from pipelines.tracking.connection import connect, user
from pipelines.tracking.outbox import answering


class KeptError(Exception):
    """The champion stays what it is."""


def history(name: str) -> list[Promotion]:
    """Every promotion of the versions that still exist, oldest first."""
    return _records(versions(name))


def latest(name: str) -> Promotion:
    """How the champion became that. Raises DataError where there is none, or no record of it."""
    now = _champion(versions(name))
    if now is None or not now.promotions:
        told = f"version {now.version} of {name!r} was made champion by other means" if now else f"{name!r} has none"
        raise DataError(f"no promotion of a champion: {told}", remedy="promote one of its versions by number")
    return max(now.promotions, key=lambda record: record.at)


def accept(ours: Version, now: Version | None) -> None:
    """The check of a promotion that does not ask what the champion is."""


@answering()
def promote(
    name: str,
    version: str,
    *,
    metric: str | None = None,
    value: float | None = None,
    reason: str = "",
    back: bool = False,
    check: Callable[[Version, Version | None], None] = accept,
    alone: AbstractContextManager[None] | None = None,
) -> Promotion:
    """Make a version the champion, and leave a record of it as a tag of the version.

    One process at a time does, by the lock of the run ledger or what is given as `alone`, so that what `check` was told
    of the version and of the champion still holds; it raises KeptError to leave things as they are. A metric left out
    is that of the last promotion, a value left out that of the version. DataError where there is no such version.
    """
    with alone if alone is not None else open_ledger().exclusive(name):
        every = versions(name)
        past = _records(every)
        chosen = next((one for one in every if one.version == version), None)
        if chosen is None:
            raise DataError(f"model {name!r} has no version {version!r}", remedy=f"take one of {numbers(every)}")
        now = _champion(every)
        check(chosen, now)
        if past and now is chosen and past[-1].version == version:  # an attempt before this one was cut short
            return past[-1]
        metric = metric if metric is not None else past[-1].metric if past else ""
        record = Promotion(
            version=version,
            at=datetime.now(UTC).isoformat(timespec="microseconds"),
            by=user(),
            metric=metric,
            value=value if value is not None else chosen.metrics.get(metric, math.nan),
            previous=now.version if now is not None else None,
            reason=reason,
            back=back,
        )
        # The record comes first: a promotion cut short leaves a record too many, never a champion without one.
        client, tag = connect(), PROMOTION + record.at.replace("+00:00", "Z")
        client.set_model_version_tag(name, version, tag, json.dumps(asdict(record)))
        client.set_registered_model_alias(name, ALIAS, version)
        return record


def rollback(name: str) -> str:
    """Call back the champion before the present one, and so on back; returns its version."""
    every, line = versions(name), list[str]()
    for record in _records(every):
        line = _until(line, record.previous)  # what comes after it was cut short, and never was champion
        if record.back:
            line = _until(line, record.version)
        if line[-1:] != [record.version]:
            line.append(record.version)
    now = _champion(every)
    if now is not None and now.version in line:
        line = _until(line, now.version)[:-1]
    if not line:
        raise DataError(f"model {name!r} has no earlier champion", remedy="promote one of its versions by number")
    return promote(name, line[-1], reason="rolled back", back=True).version


def _champion(every: list[Version]) -> Version | None:
    return next((one for one in every if one.champion), None)


def _until(line: list[str], version: str | None) -> list[str]:
    """A line up to the last place of a version, all of it where it has none."""
    return line[: len(line) - line[::-1].index(version)] if version in line else line


def _records(every: list[Version]) -> list[Promotion]:
    return sorted((record for one in every for record in one.promotions), key=lambda record: record.at)
