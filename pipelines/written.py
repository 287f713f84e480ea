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
    "string_type": "write text, in quotes where it could be taken for something else",
}
"""What is wrong, by pydantic's name for it, where its own words are of Python."""


def read_yaml(file: Traversable, adapter: TypeAdapter[T], what: str) -> T:
    """What a file says, called `what` in errors.

    Raises DataError, which names the file and each key that is wrong, on what is none.
    """
    try:
        written = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    except (OSError, ValueError, yaml.YAMLError) as error:  # a 30th of February, say
        raise DataError(f"no {what} can be read: {_unreadable(error)}", place=str(file)) from None
    if not isinstance(written, dict):
        raise DataError(f"no {what}", place=str(file), remedy=MAPPING)
    try:
        return adapter.validate_python(written)
    except ValidationError as error:
        (key, told), *more = faults(error, written)
        message = "; ".join([told, *(f"{key}: {told}" for key, told in more)])
        raise DataError(message, place=f"{file}, {key}" if key else str(file)) from None


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice, of which YAML would take the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = set[tuple[str, str]]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
                seen.add((key.tag, key.value))
        return node


def _unreadable(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark) is not None:
        told = ", ".join(part for part in (error.context, error.problem) if part)
        return f"line {mark.line + 1}, column {mark.column + 1}: {told}"
    return str(error.strerror if isinstance(error, OSError) else error)


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
