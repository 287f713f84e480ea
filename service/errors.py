"""Every error in one shape: what is wrong, in which series, where, and what mends it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.responses import JSONResponse

from forecaster.errors import DataError

REMEDIES = {
    "missing": "add it",
    "extra_forbidden": "remove it; GET /openapi.json has the fields there are",
    "finite_number": "write null for a gap",
    "float_type": "write a number (or a label, for a model of labels), or null for a gap",
    "string_pattern_mismatch": "use no control characters",
}
"""What mends an error that the schema tells, by pydantic's name for it."""
KNOWN = dict.fromkeys(("finite_number", "float_type"), "give a number: what is known ahead has no gaps")
"""The same in a known covariate."""
DOCUMENT: TypeAdapter[Any] = TypeAdapter(Any)
"""Any JSON."""


class Problem(BaseModel):
    """What is wrong and what mends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    message: str
    series: str | None = Field(None, description="The id of the series that the problem is in.")
    place: str | None = Field(None, description="Where: the path of a field, or a time.")
    remedy: str | None = None


class ErrorResponse(BaseModel):
    """The body of every answer that is not 2xx."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: Problem


class RequestError(Exception):
    """A request that cannot be served, with the HTTP status and headers of the answer.

    Where a forecast cannot be made of what was read, a DataError says so, which is answered by 422.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        series: str | None = None,
        place: str | None = None,
        remedy: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.problem = Problem(message=message, series=series, place=place, remedy=remedy)
        self.headers = headers

    @classmethod
    def of_data(cls, error: DataError) -> "RequestError":
        """422 for what the panel or the model refused."""
        return cls(422, error.message, series=error.series, place=error.place, remedy=error.remedy)

    @classmethod
    def of_schema(cls, error: ValidationError, body: bytes) -> "RequestError":
        """400 for a body that is not JSON, 422 for the first field that is not as it should be."""
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            return cls(400, first["msg"], place="body", remedy="send a JSON object")
        path, series = list(first["loc"]), None
        if path[:1] == ["series"] and len(path) > 2:
            series = _id(DOCUMENT.validate_json(body), path[1])
            path = path[2:] if series is not None else path
            kept = {"start": 1, "target": 2}.get(str(path[0]), len(path))  # then come names of types it could have
            path = path[:kept]
        remedies = REMEDIES | KNOWN if path[:1] == ["known"] else REMEDIES
        remedy = remedies.get(first["type"], "see the schema at GET /openapi.json")
        return cls(422, first["msg"], series=series, place=_dotted(path) or "body", remedy=remedy)

    def response(self) -> JSONResponse:
        """The answer, as JSON."""
        body = ErrorResponse(error=self.problem).model_dump()
        return JSONResponse(body, self.status, None if self.headers is None else dict(self.headers))


def _id(document: Any, index: int | str) -> str | None:
    """The id of a series in a document that may be anything."""
    try:
        found = document["series"][index]["id"]
    except (KeyError, IndexError, TypeError):
        return None
    return found[:200] if isinstance(found, str) else None


def _dotted(path: list[int | str]) -> str:
    """As in `series[3].known.temperature[17]`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step[:200]}" for step in path)
    return "".join(steps).removeprefix(".")
