"""One job for one date: begun by one process alone, done once, and every attempt of it in the ledger."""

import hashlib
import json
import logging
import re
import time
from datetime import datetime
from functools import partial

from forecaster.errors import DataError
from pipelines.clock.stamps import STEP
from pipelines.faults import LostError, UnavailableError
from pipelines.jobs.job import Job, Outcome, Turn
from pipelines.runs.attempts import FAILED, SUCCEEDED, Attempt, Key
from pipelines.runs.ledger import Ledger

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two looks at an attempt of another process."""


def run(job: Job, as_of: str | None, ledger: Ledger) -> Outcome:
    """Do a job unless it was done for this date, or for today; while another process does it, wait for the end.

    Raises what the job raises, once it is written down.
    """
    as_of = moment(as_of) if as_of is not None else None
    key = Key(job.kind, job.name, as_of or job.today(), _config(job))
    attempt = _begin(ledger, key)
    if attempt.outcome == SUCCEEDED:
        return Outcome(f"done before, in attempt {attempt.number}: {attempt.reason}", attempt.version)
    with ledger.alive(attempt):
        try:
            outcome = job.work(Turn(as_of, "/".join(vars(key).values()), partial(ledger.exclusive, attempt=attempt)))
        except BaseException as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            try:
                ledger.end(attempt, FAILED, reason)
            except (LostError, UnavailableError) as fault:  # it must not hide what went wrong
                log.warning("attempt %d of %s %s is not written down: %s", attempt.number, key.job, key.name, fault)
            raise
    ledger.end(attempt, SUCCEEDED, outcome.reason, outcome.version)
    outcome.forget()
    return outcome


def moment(as_of: str) -> str:
    """An as-of date in its one form, so that the same one is the same. Raises DataError on what is none."""
    if re.fullmatch(STEP, as_of):
        return str(int(as_of))
    try:
        day = f"{as_of}-01" if re.fullmatch(r"\d{4}-\d\d", as_of) else as_of
        return datetime.fromisoformat(day).isoformat().removesuffix("T00:00:00")
    except ValueError:
        remedy = "such as 2026-11-21, 2026-11-21T06:00:00+01:00, or a whole number where steps are counted"
        raise DataError(f"--as-of {as_of!r} is no time", remedy=remedy) from None


def _config(job: Job) -> str:
    """What a file says is to be done, but not when; the same in a release that brings more fields."""
    told = job.model_dump(mode="json", exclude={"schedule"}, exclude_unset=True)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _begin(ledger: Ledger, key: Key) -> Attempt:
    """A new attempt, or the one that succeeded."""
    told = False
    while True:
        last = ledger.last(key)
        if last is not None and last.outcome == SUCCEEDED:
            return last
        if (attempt := ledger.begin(key, last)) is not None:
            return attempt
        if not told and last is not None:
            log.warning("attempt %d of %s %s is run by %s; waiting for it", last.number, key.job, key.name, last.owner)
            told = True
        time.sleep(PAUSE)
