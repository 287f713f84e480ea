"""Run the BentoML server on an artifact folder."""

import logging
import os
import socket
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from forecaster.errors import DataError
from pipelines.faults import UnavailableError
from pipelines.registry.note import Note
from pipelines.streams.store import VARIABLE as STREAMS
from pipelines.streams.store import Streams, database
from service.keep import FOLDER, Keeping, keeping
from service.orphan import end_with
from service.source import SERVER, VARIABLE, WORKERS, load_champion, stage

ROOT = Path(__file__).resolve().parent.parent
log = logging.getLogger(__name__)


class ServeError(RuntimeError):
    """A server that cannot come up."""


def serve(
    model: Path, name: str, version: str, *, host: str, port: int, workers: int = 1, parent: int | None = None
) -> None:
    """Serve an artifact folder, which answers call `name` and `version`, or what a note names, until SIGTERM or SIGINT,
    or until the process `parent`, which has started this one, is gone.

    A note is watched: when it names another version, the workers go over to that.

    Raises ServeError when the port is taken, the artifact is not sound, or forecasts cannot be kept.
    """
    # First of all, for BentoML starts workers that cannot live again and again.
    address = _free_address(host, port)
    if where := _keeping():
        os.environ[FOLDER] = str(where.folder)  # for we change the folder
    if streams := _streams():
        os.environ[STREAMS] = streams
    with tempfile.TemporaryDirectory(prefix="forecaster-") as home:
        with ProcessPoolExecutor(1) as pool:  # torch does not stay in the memory of the supervisor
            note = pool.submit(_sound, model, Path(home, "model"), name, version).result()
        os.environ[VARIABLE], os.environ[WORKERS], os.environ[SERVER] = str(note), str(workers), str(os.getpid())
        os.environ["BENTOML_DO_NOT_TRACK"] = "true"
        os.environ["BENTOML_HOME"] = home  # has the files behind the metrics: two servers must not share them
        if parent is not None:
            end_with(parent)  # a thread, so not before the pool has forked
        os.chdir(ROOT)  # where the workers import this package from
        from service.app import Forecaster  # reads the environment

        Forecaster.serve_http(host=address, port=port)  # type: ignore[attr-defined]  # a bentoml.Service


def check(file: Path) -> None:
    """Raise what is wrong with a model that the note in `file` names: it loads and answers its example."""
    from service.openapi import document

    document(load_champion(Note.read(file), file))


def _sound(model: Path, home: Path, name: str, version: str) -> Path:
    """The note of a model that can be served, in `home` unless the model comes with a note."""
    try:
        note = model.absolute() if model.is_file() else stage(home, model, name, version)
        check(note)
    except Exception as error:
        raise ServeError(f"{model} cannot be served: {error}") from error
    return note


def _keeping() -> Keeping | None:
    try:
        return keeping()
    except (ValueError, OSError) as error:
        raise ServeError(f"forecasts cannot be kept: {error}") from error


def _streams() -> str | None:
    """Where streams are, after a look that it is a database; one that does not answer yet may do so later."""
    url = None
    try:
        if url := database():
            Streams(url).close()
    except DataError as error:
        raise ServeError(f"series cannot be remembered: {error}") from error
    except UnavailableError as error:
        log.warning("series cannot be remembered yet: %s", error)
    return url


def _free_address(host: str, port: int) -> str:
    """The IP address of a host, where a server can listen on the port."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, OverflowError) as error:
        raise ServeError(f"cannot listen on {host}:{port} ({error}); choose another port or host") from error
    return str(address[0])
