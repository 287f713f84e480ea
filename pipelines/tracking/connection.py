"""MLflow as it is used here: its settings, the store, and a client of it."""

import getpass
import logging
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.telemetry import set_telemetry_client
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException

from forecaster.errors import DataError
from pipelines.tracking.first_use import ensure

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # A server that is dead or hangs fails a call within 5 s, and `Outbox` calls again. As shipped it takes minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "4",
}
"""How MLflow is used here, unless the environment says otherwise."""
ARTIFACTS = "artifacts"
"""The folder of artifacts beside a local database."""
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)
# MLflow has read these while it was imported (and sent nothing yet): have it read them again.
set_telemetry_client()  # type: ignore[no-untyped-call]
logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"])


def tracking_uri() -> str:
    """Where runs and models are kept: MLFLOW_TRACKING_URI, else a database in `mlruns` where we are."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    folder = Path("mlruns").absolute()
    folder.mkdir(exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}"


def connect() -> MlflowClient:
    """A client of the store at `tracking_uri`, independent of MLflow's global state. Raises DataError on a URI of no
    kind that MLflow knows."""
    uri = tracking_uri()
    _, local, database = uri.partition("sqlite:///")
    if local:
        ensure(Path(database))
    try:
        return MlflowClient(uri)
    except UnsupportedModelRegistryStoreURIException as error:
        raise DataError(f"MLFLOW_TRACKING_URI: {error}", remedy="such as http://host:5000") from None


def user() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return str(os.getuid())


def experiment(client: MlflowClient, name: str) -> str:
    """The id of an experiment, made if need be; artifacts lie beside a local database or on the server.

    Raises DataError on one that was deleted, whose name MLflow keeps, and on one of a store that was moved or copied.
    """
    _, local, database = tracking_uri().partition("sqlite:///")
    if (found := client.get_experiment_by_name(name)) is not None:
        if found.lifecycle_stage != "active":
            raise DataError(f"the experiment {name!r} was deleted", remedy="restore it in MLflow, or take another name")
        if local:
            _check_place(found.artifact_location, Path(database).absolute())
        return str(found.experiment_id)
    artifacts = (Path(database).absolute().parent / ARTIFACTS).as_uri() if local else None
    try:
        return client.create_experiment(name, artifact_location=artifacts)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return experiment(client, name)  # another job was faster


def _check_place(location: str, database: Path) -> None:
    """Raises DataError where artifacts would go to where the store was before it was moved or copied."""
    place = urlsplit(location)
    folder = Path(unquote(place.path))
    other = folder.parent / database.name
    if place.scheme != "file" or (folder.name, folder.parent.name) != (ARTIFACTS, database.parent.name):
        return
    try:
        here = other.samefile(database)
    except OSError:  # there is none, or it may not be looked into
        here = False
    if not here:
        message = f"{database} says that artifacts are in {folder}, where it was before"
        raise DataError(message, remedy="tell it where they are, as in docs/operations/backup_and_restore.md")
