"""Fields of settings and of job files: durations, names, zones, variables, and words that YAML takes for others."""

import os
import re
from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from forecaster.errors import DataError

VARIABLE = re.compile(r"\$\{(\w+)\}")
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(text: object) -> object:
    """A duration such as 90s, 5m, 1.5h, 2d or a number of seconds. Raises ValueError on words that are none.

    >>> seconds("1.5m")
    90.0
    """
    if not isinstance(text, str):
        return text
    if match := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smhd])\s*", text):
        return float(match[1]) * UNITS[match[2]]
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no duration such as 90s, 5m, 1.5h or 2d") from None


def text(value: object) -> object:
    """YAML reads 2026-11-21 as a date and 7 as a number, where words are meant."""
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def expand(text: str, field: str) -> str:
    """A text in which `${VARIABLE}` stands for one of the environment. Raises DataError, which does not show them."""

    def value(match: re.Match[str]) -> str:
        if (found := os.environ.get(match[1])) is None:
            raise DataError(f"the environment has no variable {match[1]}, which {field} names", remedy="set it")
        return found

    return VARIABLE.sub(value, text)


def model_name(text: str) -> str:
    """A name that MLflow, a file system and a URL all take."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError("a name has letters, digits, dot, dash and underscore, and starts with a letter or a digit")
    return text


def zone_name(text: str | None) -> str | None:
    """That of a time zone that there is; an empty one is none."""
    from pipelines.clock.zone import parse_zone  # not above: `forecaster --help` needs no numpy

    return parse_zone(text) if text else None


Duration = Annotated[float, BeforeValidator(seconds), Field(allow_inf_nan=False)]
ModelName = Annotated[str, AfterValidator(model_name)]
ZoneName = Annotated[str | None, AfterValidator(zone_name)]
"""In its canonical form."""
Text = Annotated[str, BeforeValidator(text)]
