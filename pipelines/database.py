"""A database of ours, opened by its URL: what it says when it is none, or does not answer, is one error here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, NullPool, create_engine, event, inspect
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as Waited

from forecaster.errors import DataError
from pipelines.faults import UnavailableError

PATIENCE = {"sqlite": {"timeout": 60}}
"""How long is waited, by the kind of database: seconds for other processes ..."""
HURRY: dict[str, dict[str, Any]] = {
    "sqlite": {"timeout": 5},
    "postgresql": {
        "connect_timeout": 5,
        "tcp_user_timeout": 5000,
        "options": "-c lock_timeout=5s -c statement_timeout=30s",
    },
}
"""... and where requests wait."""


class Database:
    """Tables of ours in a database; `served` where requests wait for it.

    They are made when they are not there, unless they have to be `there`. Raises UnavailableError where the database
    does not answer, or has no room, and DataError where the URL is none, its driver is not installed, or the tables
    are not there.
    """

    def __init__(
        self, url: str, tables: MetaData, *, variable: str, what: str, served: bool = False, there: bool = False
    ) -> None:
        self.variable, self.what = variable, what
        """The environment variable that names it, and what it is called."""
        waits = (HURRY if served else PATIENCE).get(url.partition(":")[0].partition("+")[0], {})
        pool = {"pool_pre_ping": True, "pool_size": 64} if served else {"poolclass": NullPool}
        try:
            self.engine: Engine = create_engine(url, connect_args=waits, **pool)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
            remedy = (
                "such as postgresql+psycopg://user:password@host/database, after pip install 'forecaster[postgres]'"
            )
            raise DataError(f"{variable} is no database that can be opened: {error}", remedy=remedy) from None
        try:
            if there:
                self._find(tables)
            else:
                self.create(tables)
        except DatabaseError as error:
            raise DataError(f"{variable} is no database: {error.orig}", remedy="name another") from None
        if served and self.engine.dialect.name == "sqlite":
            self._keep_to(Path(self.engine.url.database or ""))

    def create(self, tables: MetaData) -> None:
        """Make the tables that are not there."""
        with self._answering(OperationalError):
            for table in tables.sorted_tables:
                try:
                    table.create(self.engine, checkfirst=True)
                except (OperationalError, ProgrammingError, IntegrityError):  # another process may have made it
                    table.create(self.engine, checkfirst=True)

    def _keep_to(self, file: Path) -> None:
        """Refuse for good to go on without the file that was opened: open connections would still write into it, new
        ones make another, which may even get its number."""
        opened, lost = _identity(file), Event()

        def same(*_: object) -> None:
            if lost.is_set() or _identity(file) != opened:
                lost.set()
                raise UnavailableError(f"{self.what} {file} was removed or replaced since it was opened; start again")

        event.listen(self.engine, "do_connect", same)
        event.listen(self.engine, "checkout", same)

    def _find(self, tables: MetaData) -> None:
        file, local = Path(self.engine.url.database or ""), self.engine.dialect.name == "sqlite"
        if not local or file.is_file():  # to look into one that is not there would make it
            with self._answering(OperationalError):
                names = inspect(self.engine).get_table_names()
            if set(names).issuperset(tables.tables):
                return
        where = self.engine.url.render_as_string(hide_password=True)
        raise DataError(f"{self.variable} names {where}, which is not {self.what}", remedy="name that of the service")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection. Raises UnavailableError where the database does not answer, or not as ours would."""
        with self._answering(DatabaseError, InterfaceError, Waited), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection in a transaction, all of which is kept or nothing. Raises what `reading` does, and
        IntegrityError on what the tables do not allow."""
        with self._answering(DatabaseError, InterfaceError, Waited), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def _answering(self, *faults: type[Exception]) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except faults as error:
            where = self.engine.url.render_as_string(hide_password=True)
            cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise UnavailableError(f"{self.what} {where} does not answer ({cause}; see {self.variable})") from None


def _identity(file: Path) -> tuple[int, int] | None:
    """That of a file, not of its name; None where there is none."""
    try:
        told = file.stat()
    except FileNotFoundError:
        return None
    return told.st_dev, told.st_ino
