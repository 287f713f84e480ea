"""Processes that tests start, and ports for them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from urllib.error import URLError
from urllib.request import urlopen


@contextmanager
def running(
    command: list[str], url: str, environment: dict[str, str], seconds: float = 90
) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python process and its children while they answer at `url`; all are ended."""
    process = subprocess.Popen([sys.executable, *command], env=os.environ | environment, start_new_session=True)
    try:
        deadline = time.monotonic() + seconds
        while not answers(url):
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.1)
        yield process
    finally:
        with suppress(ProcessLookupError):  # a test may have killed it
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5):
            return True
    except (URLError, OSError):
        return False


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
