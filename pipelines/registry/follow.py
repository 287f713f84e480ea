"""The copy of the champion on this machine follows the one in MLflow, for a server that watches the copy."""

import logging
import signal
import subprocess
import time
from threading import Thread

from forecaster.durable import replace
from forecaster.errors import ArtifactError, DataError
from pipelines.faults import UnavailableError
from pipelines.registry.fetch import copies, named, resolve
from pipelines.registry.note import Note, refusal

log = logging.getLogger(__name__)

SECONDS = 2.0
"""Between two looks at MLflow."""
PATIENCE = 60.0
"""Seconds until a version that was refused is tried again."""


class Follower:
    """Fetches what becomes the champion. A version that is not sound is refused, and that is said beside the note."""

    def __init__(self, name: str) -> None:
        self.name, self.file = name, copies().note(name)
        self.said = ""
        self.refused: Note | None = None
        self.again = 0.0

    def look(self) -> None:
        """Look once. Whatever is wrong is logged when it begins, and the copy stays as it was."""
        champion: Note | None = None
        try:
            champion = named(self.name)
            if champion == self.refused and time.monotonic() < self.again:
                return
            if champion != Note.last(self.file):
                resolve(self.name)
                log.info("version %s of %s is the champion now", champion.version, self.name)
        except UnavailableError as error:
            self._say(f"the champion stays as it is: {error}")
        except (ArtifactError, DataError, OSError, ValueError) as error:
            self.refused, self.again = champion, time.monotonic() + PATIENCE
            reason = f"the champion is refused, and the one before it stays: {error}"
            self._say(reason)
            replace(refusal(self.file), reason.encode())
        else:
            self.refused, self.said = None, ""
            refusal(self.file).unlink(missing_ok=True)

    def _say(self, text: str) -> None:
        if text != self.said:
            log.warning(text)
        self.said = text


def start(name: str) -> None:
    """Follow the champion of a model in the background, for as long as this process lives."""
    follower = Follower(name)

    def go() -> None:
        while True:
            try:
                follower.look()
            except Exception:
                log.exception("the champion of %s could not be looked at", name)
            time.sleep(SECONDS)

    Thread(target=go, name="follow", daemon=True).start()


def beside(command: list[str], name: str) -> int:
    """Run a server and follow the champion of a model beside it, until the server ends; returns its exit code."""
    server = subprocess.Popen(command)
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda number, _: server.send_signal(number))
    start(name)
    return server.wait()
