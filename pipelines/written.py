"""What users write in files of YAML, and what is wrong with it in one line."""

from importlib.resources.abc import Traversable
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from forecaster.errors import DataError

T = TypeVar("T")


def read_yaml(file: Traversable, adapter: TypeAdapter[T], what: str, *, tags: int = 0) -> T:
    """What a file says, called `what` in errors; `tags` of the keys of an error are not the user's.

    Raises DataError, which names the file and the key, on what is none.
    """
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"no {what} can be read: {error}", place=str(file)) from None
    if not isinstance(written, dict):
        raise DataError(f"no {what}", place=str(file), remedy="write a mapping, a line `key: value` for each field")
    try:
        return adapter.validate_python(written)
    except ValidationError as error:
        (key, told), *_ = faults(error, tags)
        raise DataError(told, place=f"{file}, {key}" if key else str(file)) from None


def faults(error: ValidationError, tags: int = 0) -> list[tuple[str, str]]:
    """Where each fault is, as keys with dots between them, and what it is."""
    return [(".".join(map(str, one["loc"][tags:])), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
