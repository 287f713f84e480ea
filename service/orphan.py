"""A process that does not outlive the one that started it, even where that one was killed and could not say so."""

import os
import signal
import time
from threading import Thread

SECONDS = 1.0
"""Between two looks at the parent."""


def end_with(parent: int) -> None:
    """Send this process SIGTERM once it is no child of the process `parent` any more: an orphan is given another one.

    Else a server would keep its port, and answer by a champion that nobody follows.
    """

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, name="parent", daemon=True).start()
