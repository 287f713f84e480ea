"""What MLflow has to be told: at once while it answers, kept in order and told later where it does not."""

import logging
import os
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from requests import RequestException

from pipelines.faults import UnavailableError

log = logging.getLogger(__name__)

PAUSE = 30.0
"""Seconds for which MLflow is left alone after it did not answer."""


@contextmanager
def answering() -> Iterator[None]:
    """Raise UnavailableError where MLflow does not answer or cannot do its part; what it refuses is raised as it is."""
    try:
        yield
    except (MlflowException, RequestException) as error:  # the latter from stores of artifacts
        if isinstance(error, MlflowException) and error.get_http_status_code() < 500:  # type: ignore[no-untyped-call]
            raise
        place = re.sub("//[^/@]*@", "//", os.environ.get("MLFLOW_TRACKING_URI") or "mlruns/mlflow.db")
        cause = str(error).partition("\n")[0]
        raise UnavailableError(f"MLflow at {place} does not answer ({cause})") from error


class Outbox:
    """Calls of MLflow in their order. One that found nobody is made again, so each may be made twice."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], object]] = deque()
        self.quiet_until = 0.0

    def put(self, call: Callable[[], object]) -> None:
        """Make a call after those before it, later if MLflow does not answer."""
        self.waiting.append(call)
        if time.monotonic() < self.quiet_until:
            return
        try:
            self.empty()
        except UnavailableError as error:
            log.warning("%s; the work goes on, and what is to be logged is kept", error)

    def empty(self) -> None:
        """Make all calls that wait. Raises UnavailableError, and keeps what is left, where MLflow does not answer."""
        try:
            with answering():
                while self.waiting:
                    self.waiting[0]()
                    self.waiting.popleft()
        except UnavailableError:
            self.quiet_until = time.monotonic() + PAUSE
            raise
        except Exception:
            self.waiting.popleft()  # what is refused once is refused again
            raise
