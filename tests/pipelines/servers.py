"""Real servers for tests: a PostgreSQL of the machine's, with passwords, and an S3 by moto, each in its processes."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from pyarrow.fs import S3FileSystem

from tests.pipelines.processes import free_port, running

USER, PASSWORD = "forecaster", "p@ss/w:rd"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs, if it is installed; Debian does not put them into the path."""
    folders = [*map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), os.environ["PATH"]]
    found = shutil.which("initdb", path=os.pathsep.join(folders))
    return Path(found).resolve().parent if found else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[sa.URL]:
    """A PostgreSQL server of this test run's own."""
    folder = Path(tempfile.mkdtemp(prefix="postgres"))  # not pytest's, where only this user may look
    secret, data, port, where = folder / "password", folder / "data", free_port(), programs()
    assert where is not None
    secret.write_text(PASSWORD)
    user = None
    if os.getuid() == 0:  # it refuses to be run by root
        user = "postgres"
        shutil.chown(folder, user)
        shutil.chown(secret, user)
    create: list[str | Path] = [
        where / "initdb",
        "-D",
        data,
        "-U",
        USER,
        "-A",
        "scram-sha-256",
        f"--pwfile={secret}",
        "-E",
        "UTF8",
    ]
    subprocess.run([*create, "--no-sync"], user=user, cwd=folder, check=True, capture_output=True)
    serve: list[str | Path] = [where / "postgres", "-D", data, "-p", str(port), "-k", folder, "-h", "127.0.0.1", "-F"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(serve, user=user, cwd=folder, stdout=log, stderr=log)
    url = sa.URL.create("postgresql+psycopg", USER, PASSWORD, "127.0.0.1", port, "postgres")
    try:
        until_it_answers(url, server)
        yield url
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder)


def until_it_answers(url: sa.URL, server: subprocess.Popen[bytes], seconds: float = 60) -> None:
    engine, deadline = sa.create_engine(url, poolclass=sa.NullPool), time.monotonic() + seconds
    while True:
        try:
            engine.connect().close()
            return
        except sa.exc.OperationalError:
            assert server.poll() is None, "it has ended"
            assert time.monotonic() < deadline, "it does not answer"
            time.sleep(0.1)


@contextmanager
def database(server: sa.URL) -> Iterator[str]:
    """The URL, with its password, of an empty database that is gone afterwards."""
    name = f"test_{uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
        yield server.set(database=name).render_as_string(hide_password=False)
        connection.execute(sa.text(f"drop database {name} with (force)"))


@pytest.fixture
def postgres_url(postgres: sa.URL) -> Iterator[str]:
    """The URL of an empty database."""
    with database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of an S3 server."""
    port = free_port()
    with running(["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], f"http://127.0.0.1:{port}/moto-api/", {}):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket, which the environment gives access to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    bucket = f"bucket-{uuid4().hex}"
    S3FileSystem(allow_bucket_creation=True, endpoint_override=s3_server).create_dir(bucket)
    return f"s3://{bucket}"
