"""What users write in files of YAML, and what is wrong with it in one line."""

from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from forecaster.errors import DataError

T = TypeVar("T")

MAPPING = "write a mapping, a line `key: value` for each field"
WORDS = {
    "missing": "it is missing",
    "union_tag_invalid": "{tag!r} is none of {expected_tags}",
    "union_tag_not_found": "it is missing",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), MAPPING),
    "tuple_type": "write a list, such as [a, b]",
}
"""What is wrong, by pydantic's name for it, where its own words are of Python."""


def read_yaml(file: Traversable, adapter: TypeAdapter[T], what: str) -> T:
    """What a file says, called `what` in errors.

    Raises DataError, which names the file and the key, on what is none.
    """
    try:
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:  # a 30th of February, say
        raise DataError(f"no {what} can be read: {error}", place=str(file)) from None
    if not isinstance(written, dict):
        raise DataError(f"no {what}", place=str(file), remedy=MAPPING)
    try:
        return adapter.validate_python(written)
    except ValidationError as error:
        (key, told), *_ = faults(error, written)
        raise DataError(told, place=f"{file}, {key}" if key else str(file)) from None


def faults(error: ValidationError, written: object = None) -> list[tuple[str, str]]:
    """Where each fault is, as keys with dots between them, and what it is.

    What was `written` tells these keys from the kinds of jobs and models that pydantic has between them.
    """
    return [(".".join(map(str, _keys(one, written))), _words(one)) for one in error.errors()]


def _keys(fault: Mapping[str, Any], written: object) -> Iterator[int | str]:
    unknown = written is None
    for key in fault["loc"]:
        there = key in written if isinstance(written, dict) else isinstance(key, int)
        if there or unknown or (fault["type"] == "missing" and key == fault["loc"][-1]):
            yield key
        if there and isinstance(written, dict | list):
            written = written[key]
    if "discriminator" in (context := fault.get("ctx", {})):
        yield context["discriminator"].strip("'")


def _words(fault: Mapping[str, Any]) -> str:
    if fault["type"] in WORDS:
        return WORDS[fault["type"]].format(**fault.get("ctx", {}))
    return str(fault["msg"]).removeprefix("Value error, ")
