"""Where data lies, as one frozen, checked value that never shows a password."""

import re
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import Field, ValidationError, model_serializer, model_validator
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from forecaster.errors import DataError
from forecaster.spec import Spec
from pipelines.fields import VARIABLE, expand
from pipelines.written import faults

SCHEMES = ("file", "s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
"""File systems that pyarrow opens by URL; every other URL is one of a database."""
_PASSWORD = re.compile(
    r"(://[^:/@]*:)(?!\$\{\w+\}@)[^@]*(?=@)|([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)(?!\$\{)[^&]*"
)


class Source(Spec):
    """A table: `{path: sales.csv.gz}`, `{path: s3://bucket/folder}`, `{url: ..., table: ...}` or with `query: ...`.

    As text it is the path, or the URL of a database with `#table` after it. `${VARIABLE}` in the URL of a database
    stands for a variable of the environment, which is read when the source is, and kept nowhere.
    """

    path: str | None = None
    """A CSV or Parquet file or a folder of Parquet files, on this machine or by URL."""
    url: str | None = Field(None, repr=False)
    """A database, as SQLAlchemy writes it: `postgresql+psycopg://user:${PASSWORD}@host/name`."""
    table: str | None = None
    query: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, given: Any) -> Any:
        if isinstance(given, Path):
            return {"path": str(given)}
        if isinstance(given, dict | Source):
            return given
        if not isinstance(given, str):
            raise ValueError("write a path, or a mapping of path, or of url and table or query")
        scheme, there, _ = given.partition("://")
        if scheme in SCHEMES or not (there or given.startswith("${")):
            return {"path": given}
        url, _, table = given.partition("#")  # no part of such a URL has this sign but written as %23
        return {"url": url, "table": table or None}

    @model_validator(mode="after")
    def _one_place(self) -> "Source":
        if (self.path is None) == (self.url is None):
            raise ValueError("give a path, or the url of a database")
        if self.path is not None and (self.table or self.query):
            raise ValueError("a file has no table and no query: give the url of a database")
        if self.url is not None:
            if (self.table is None) == (self.query is None):
                raise ValueError("give a table or a query: url#table, or table: or query: beside url:")
            self.database()
        return self

    @model_serializer
    def _told(self) -> str | dict[str, str]:
        """What may be kept and logged, and read again: without a password that is not a variable."""
        if self.path is not None:
            return self.path
        told = {"url": self._shown, "table": self.table, "query": self.query}
        return {name: value for name, value in told.items() if value is not None}

    def database(self) -> URL:
        """The address of the database, with the variables in it. Raises ValueError on one that is not there."""
        text = self.url or ""
        try:
            url = make_url(expand(text, "url") if VARIABLE.fullmatch(text) else text)
        except ArgumentError:
            raise ValueError("no url of a database: such as postgresql+psycopg://user:${PASSWORD}@host/name") from None
        # Each part by itself, so that a password may have any signs.
        parts: dict[str, Any] = {
            name: expand(part, "url") for name, part in url._asdict().items() if isinstance(part, str)
        }
        return url.set(**parts)

    @property
    def name(self) -> str:
        """The last part of the path, or the table: what people call it."""
        return PurePosixPath(self.path).name if self.path is not None else self.table or "query"

    def __str__(self) -> str:
        if self.path is not None:
            return self.path
        return f"{self._shown}#{self.table}" if self.table else f"{self._shown} ({self.query})"

    @property
    def _shown(self) -> str:
        return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}***", self.url or "")


def source(given: Source | str | Path) -> Source:
    """A source as such, or from its text. Raises DataError on what is none."""
    try:
        return Source.model_validate(given)
    except ValidationError as error:
        raise DataError(faults(error)[0][1], place="data") from None
