"""A server in processes of its own, on a free port."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx


class Server(NamedTuple):
    """A server that is ready."""

    process: "subprocess.Popen[bytes]"
    client: httpx.Client

    def closed(self, seconds: float) -> bool:
        """Whether nobody listens any more, within so many seconds."""
        late = time.monotonic() + seconds
        while time.monotonic() < late:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.client.base_url.port or 0)):
                    return True
            time.sleep(0.05)
        return False

    def workers(self) -> set[int]:
        """The process ids of the workers that have answered so far."""
        return {int(pid) for pid in re.findall(r'pid="(\d+)"', self.client.get("/metrics").text)}


@contextmanager
def serving(
    command: list[str], folder: Path, environment: Mapping[str, str], log: Path, seconds: float = 60
) -> Iterator[Server]:
    """The server of a command, to which `--port` is added, run in `folder`; killed if it does not end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            _wait(client, process, log, time.monotonic() + seconds)
            yield Server(process, client)
    finally:
        with suppress(ProcessLookupError):  # all that it has left, though it has ended itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(client: httpx.Client, process: "subprocess.Popen[bytes]", log: Path, late: float) -> None:
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < late, log.read_text()
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
