"""Run the BentoML server on an artifact folder."""

import os
import socket
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from service.source import VARIABLE, stage

ROOT = Path(__file__).resolve().parent.parent


class ServeError(RuntimeError):
    """A server that cannot come up."""


def serve(artifact: Path, name: str, version: str, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; `name` and `version` are what answers call the model.

    Raises ServeError when the port is taken or the artifact is not sound.
    """
    # First of all, for BentoML starts workers that cannot live again and again.
    address = _free_address(host, port)
    with tempfile.TemporaryDirectory(prefix="forecaster-") as home:
        model = _staged(Path(home, "model"), artifact, name, version)
        os.environ[VARIABLE] = str(model)
        os.environ["BENTOML_DO_NOT_TRACK"] = "true"
        os.environ["BENTOML_HOME"] = home  # has the files behind the metrics: two servers must not share them
        os.chdir(ROOT)  # where the workers import this package from
        from service.app import Forecaster  # reads the environment

        Forecaster.serve_http(host=address, port=port)  # type: ignore[attr-defined]  # a bentoml.Service


def check(model: Path) -> None:
    """Raise what is wrong with a folder that `stage` wrote: the model loads and answers its example."""
    from service.openapi import document
    from service.source import load_champion

    document(load_champion(model))


def _staged(model: Path, artifact: Path, name: str, version: str) -> Path:
    try:
        stage(model, artifact, name, version)
        with ProcessPoolExecutor(1) as pool:  # torch does not stay in the memory of the supervisor
            pool.submit(check, model).result()
    except Exception as error:
        raise ServeError(f"{artifact} cannot be served: {error}") from error
    return model


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
