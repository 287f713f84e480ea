"""docker-compose.yml without containers: each command as it stands there, as a process of this machine.

Host names become 127.0.0.1, ports free ones, volumes and configs folders and files below one folder. A process sees the
environment that its container would see, and nothing of ours. In scripts `-m tests.containers` stands for docker.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from tests.pipelines.processes import free_port
from tests.pipelines.servers import programs

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
HOME = "/home/forecaster"
PORTS = {
    "postgres": 5432,
    "objects": 8333,
    "mlflow": 5000,
    "service": 3000,
    "scheduler": 3070,
    "prometheus": 9090,
    "exporter": 9100,
}
"""Where each listens in its container."""
STATE = "COMPOSE_STATE"
"""Environment variable that tells the process that stands for docker of the test that it is in."""
OURS = [sys.executable, "-m", "pipelines"]
PROGRAMS = {
    "service": OURS,
    "scheduler": OURS,
    "mlflow": [sys.executable, "-m", "mlflow"],
    "python": [sys.executable],
    "objects": ["weed"],
    "prometheus": ["prometheus"],
    "exporter": ["prometheus-node-exporter"],
    "pg_isready": [f"{programs()}/pg_isready"],
}
"""What a container runs, by its name, and what health checks call."""


def resolved(value: Any, given: Mapping[str, str]) -> Any:
    """A value of the file with `${NAME:-default}` and `${NAME:?message}` filled in."""
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+):[-?](.*?)\}", lambda found: given.get(found[1], found[2]), value)
    if isinstance(value, dict):
        return {key: resolved(one, given) for key, one in value.items()}
    return [resolved(one, given) for one in value] if isinstance(value, list) else value


class Compose:
    """The containers of the file, below `folder`; `given` is what `.env` says."""

    def __init__(self, folder: Path, given: Mapping[str, str], ports: Mapping[str, int]) -> None:
        self.folder, self.given, self.ports = folder, given, {name: free_port() for name in PORTS} | dict(ports)
        self.file: dict[str, Any] = resolved(yaml.safe_load(FILE.read_text()), given)

    def here(self, name: str, text: str) -> str:
        """What `text` of a container is on this machine."""
        for target, place in self._mounts(name).items():
            text = re.sub(rf"(?<![\w/]){target}\b", str(place), text)
        for other, port in PORTS.items():
            if other != name:
                text = text.replace(f"{other}:{port}", f"127.0.0.1:{self.ports[other]}")
        return re.sub(rf"(?<=[=:]){PORTS[name]}\b", str(self.ports[name]), text).replace("0.0.0.0", "127.0.0.1")

    def config(self, name: str) -> str:
        """What a config says."""
        told = self.file["configs"][name]
        return str(told["content"] if "content" in told else (ROOT / told["file"]).read_text())

    def volume(self, name: str) -> Path:
        """The folder of a volume."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def environment(self, name: str) -> dict[str, str]:
        """That of a container, and of ours only what finds programs."""
        told: dict[str, str] = self.file["services"][name].get("environment", {})
        ours = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HOME": str(self.folder)}
        ours["FORECASTER_DAGSTER"] = str(ROOT / ".venv-dagster")  # which the Dockerfile says of the image
        return ours | {key: self.here(name, value) for key, value in told.items()}

    def script(self, lines: str) -> str:
        """What the shell lines of a page print; they have to succeed."""
        for name, port in PORTS.items():
            lines = lines.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        docker = self.volume("../bin") / "docker"
        docker.write_text(f'#!/bin/sh\nexec {sys.executable} -m tests.containers "$@"\n')
        docker.chmod(0o700)
        state = json.dumps([str(self.folder), dict(self.given), self.ports])
        environment = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), STATE: state}
        command = ["bash", "-euo", "pipefail", "-c", lines]
        done = subprocess.run(command, cwd=self.volume("."), env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def docker(self, *words: str) -> int:
        """Run what `docker compose run` and `exec` run; the containers that stay are started and ended by the test."""
        parser = argparse.ArgumentParser()
        for flag in ("--rm", "--no-deps", "-T"):
            parser.add_argument(flag, action="store_true")
        for option in ("--user", "--volume", "--entrypoint", "name"):
            parser.add_argument(option, default=None)
        parser.add_argument("command", nargs=argparse.REMAINDER)
        if words[1] not in ("run", "exec"):
            return 0
        told = parser.parse_args(words[2:])
        name, command = told.name, [self.here(told.name, part) for part in told.command]
        if told.volume is not None:
            place, target = told.volume.split(":")
            command = [part.replace(target, place) for part in command]
        program = PROGRAMS[told.entrypoint or name] if words[1] == "run" else [f"{programs()}/{command.pop(0)}"]
        environment = self.environment(name)
        if name == "postgres":  # who is in its container is asked for no password
            server = {"PGHOST": "127.0.0.1", "PGPORT": str(self.ports[name])}
            environment |= server | {"PGPASSWORD": environment["POSTGRES_PASSWORD"]}
        return subprocess.run([*program, *command], cwd=self._home(name), env=environment).returncode

    @contextmanager
    def up(self, name: str, *more: str) -> Iterator[str]:
        """A container that is healthy, and its address; `more` is what it needs only where it shares a network."""
        command = [*PROGRAMS[name], *(self.here(name, part) for part in self.file["services"][name]["command"]), *more]
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._home(name),
                env=self.environment(name),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + 120
            while not self.healthy(name):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield f"http://127.0.0.1:{self.ports[name]}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def healthy(self, name: str) -> bool:
        """What the health check says."""
        kind, program, *rest = self.file["services"][name]["healthcheck"]["test"]
        assert kind == "CMD"
        command = [*PROGRAMS.get(program, [program]), *(self.here(name, part) for part in rest)]
        return subprocess.run(command, env=self.environment(name), capture_output=True).returncode == 0

    def _mounts(self, name: str) -> dict[str, Path]:
        """Volumes and configs of a container, by where they are in it."""
        service = self.file["services"][name]
        mounts = {config["target"]: self.volume("configs") / config["source"] for config in service.get("configs", ())}
        for volume in service.get("volumes", ()):
            source, target = volume.split(":")[:2]
            mounts[target] = self.volume(source)
        return mounts

    def _home(self, name: str) -> Path:
        """The working folder of a container, with what is mounted there."""
        home = self.volume(f"home of {name}")
        mounts = self._mounts(name)
        for target in sorted(mounts):
            place = mounts[target]
            if place.parent.name == "configs":
                place.write_text(self.here(name, self.config(place.name)))
            link = home / Path(target).relative_to(HOME) if target.startswith(HOME) else None
            if link is not None and not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(place)
        return home


if __name__ == "__main__":
    folder, given, ports = json.loads(os.environ[STATE])
    sys.exit(Compose(Path(folder), given, ports).docker(*sys.argv[1:]))
