"""The errors a user can mend, and artifacts that are none."""


class DataError(ValueError):
    """Input that a user can mend: the message names the series, the place and the remedy, in one line.

    >>> str(DataError("two rows for one time", series="a", place="ds 2024-01-01", remedy="remove one"))
    "series 'a', ds 2024-01-01: two rows for one time; remove one"
    """

    def __init__(
        self, message: str, *, series: str | None = None, place: str | None = None, remedy: str | None = None
    ) -> None:
        self.message = message
        self.series = series
        self.place = place
        self.remedy = remedy
        named = f"series {series!r}" if series is not None else None
        where = ", ".join(part for part in (named, place) if part)
        told = (f"{where}: " if where else "") + message + (f"; {remedy}" if remedy else "")
        super().__init__(" ".join(line.strip() for line in told.splitlines()))

    def __reduce__(self) -> tuple[object, ...]:
        # An exception is rebuilt from its arguments when it crosses a process: keep the keyword ones.
        return _rebuild, (self.message, self.series, self.place, self.remedy)


def _rebuild(message: str, series: str | None, place: str | None, remedy: str | None) -> DataError:
    return DataError(message, series=series, place=place, remedy=remedy)


class ArtifactError(Exception):
    """A folder that is not an artifact, or not as it was written; the message is one line, whatever it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
