"""Where files lie: on this machine, or on what pyarrow opens by URL. A file is there whole or not at all."""

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import IO

from pyarrow import fs

from forecaster.durable import replacing

SECONDS = 10
"""That an object store may take to answer a call, each of which is tried three times."""


def file_system(path: str) -> tuple[fs.FileSystem, str]:
    """The file system of a path or URL, and the path in it.

    An object store reads its keys from the usual variables of the environment: AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for one that is not Amazon's.
    """
    if "://" not in path:
        return fs.LocalFileSystem(), str(Path(path).expanduser())
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if path.startswith("s3://") and endpoint:
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        limits = {"connect_timeout": SECONDS, "request_timeout": SECONDS}
        store = fs.S3FileSystem(endpoint_override=endpoint, region=region, allow_delayed_open=True, **limits)
        return store, path.removeprefix("s3://").rstrip("/")
    system, place = fs.FileSystem.from_uri(path)
    return system, place


def put(path: str, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` make a file in place of the one that is there: whole, or there is what was there before.

    An object appears when all of it has been sent; a file on this machine is renamed. Raises OSError.
    """
    system, place = file_system(path)
    if not isinstance(system, fs.LocalFileSystem):
        content = BytesIO()
        write(content)
        with system.open_output_stream(place, compression=None) as stream:
            stream.write(content.getbuffer())
        return
    with replacing(Path(place)) as fresh, fresh.open("wb") as file:
        write(file)
