"""What goes over the wire: requests, responses and their limits. Input is checked here and in the panel."""

from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError

from service.errors import RequestError

MAX_BYTES = 32 * 2**20
"""Size of a request's body."""
MAX_SERIES = 10_000
MAX_STREAMS = 1_000
"""Series in a request to go on with."""
MAX_STEPS = 200_000
"""Steps of all of them together."""
MAX_HORIZON = 10_000
MAX_QUANTILES = 99
MAX_PATHS = 10_000
MAX_NUMBERS = 2_000_000
"""Numbers in an answer: series x horizon x (quantiles or labels + the mean or the likeliest label + paths)."""
MAX_VALUE = 1e300
"""Largest magnitude of an observation: a forecast must have room above it in float64."""

Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Numbers: TypeAlias = Annotated[list[Number], FailFast()]
Observations: TypeAlias = Annotated[list[Number | None], FailFast()]
Text: TypeAlias = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name: TypeAlias = Annotated[Text, Field(min_length=1)]
Value: TypeAlias = Annotated[Number | Name | None, Field(union_mode="left_to_right")]
Values: TypeAlias = Annotated[list[Value], FailFast()]
Level: TypeAlias = Annotated[float, Field(ge=0.0001, le=0.9999)]


class Wire(BaseModel):
    """A frozen value as JSON has it: unknown fields are refused, and nothing is converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Series(Wire):
    """The history of one series, oldest value first, a value for every step."""

    id: Name = Field(description="Names the series in the answer; unique in a request.")
    start: Name | Annotated[int, Field(ge=-(2**53), le=2**53)] | None = Field(
        None,
        description="Time of the first value, ISO 8601 with or without a UTC offset; without one it is the "
        "local time of the model. An integer for a model that counts steps. Left out, steps count from 0.",
    )
    freq: Name | None = Field(None, description="The frequency of the model, which is what is taken if left out.")
    target: Annotated[Values, Field(min_length=1)] = Field(
        description="Numbers, or labels for a model of labels; null is a gap."
    )
    known: dict[Name, Numbers] = Field(
        default={},
        description="Covariates known ahead: as many values as the target and the horizon together.",
    )
    past: dict[Name, Observations] = Field(
        default={}, description="Covariates known up to now: as many values as the target."
    )
    static: dict[Name, Text] = Field(default={}, description="Categories of the series.")


class ForecastRequest(Wire):
    """The series to forecast, and how far."""

    series: Annotated[list[Series], FailFast(), Field(min_length=1, max_length=MAX_SERIES)]
    horizon: int = Field(ge=1, le=MAX_HORIZON, description="Number of steps to forecast.")
    quantiles: Annotated[list[Level], FailFast(), Field(min_length=1, max_length=MAX_QUANTILES)] = Field(
        default=[0.1, 0.5, 0.9], description="Levels of the quantiles of numbers, in any order, each once."
    )
    paths: int = Field(0, ge=0, le=MAX_PATHS, description="Number of joint sample paths of each series.")
    temperature: float = Field(
        1.0, ge=0, le=100, description="Of paths; at 0 each step is the likeliest label, or the median of numbers."
    )
    seed: int = Field(0, ge=0, lt=2**53, description="The same request with the same seed gets the same paths.")


class StreamSeries(Series):
    """What is new of a series, oldest value first; at first its whole history."""

    start: Name | Annotated[int, Field(ge=-(2**53), le=2**53)] | None = Field(
        None, description="Time of the first value, as in a history; left out where nothing is new."
    )
    target: Values = Field(
        default=[], description="Numbers, or labels for a model of labels; null is a gap. Left out, nothing is new."
    )
    known: dict[Name, Numbers] = Field(
        default={},
        description="Covariates known ahead: as many values as the target and the horizon together. Where the target"
        " ends before what is known of the series, from its start to the horizon after that.",
    )


class StreamRequest(ForecastRequest):
    """What is new of series that the service remembers, and how far to forecast them."""

    series: Annotated[  # type: ignore[assignment]  # a list of a kind of series
        list[StreamSeries], FailFast(), Field(min_length=1, max_length=MAX_STREAMS)
    ]


class ForgetRequest(Wire):
    """The series to forget."""

    series: Annotated[list[Name], FailFast(), Field(min_length=1, max_length=MAX_SERIES)]


class ForgetResponse(Wire):
    """The series that were forgotten; of others nothing was known."""

    forgotten: list[str]


class ModelVersion(Wire):
    """The model that made a forecast."""

    name: str
    version: str
    trained_until: str | None = Field(description="The last time in its training data.")


class SeriesForecast(Wire):
    """The forecast of one series."""

    id: str
    start: str | int = Field(description="Time of the first forecast step, or how many steps after the first value.")
    freq: str
    mean: list[Number]
    quantiles: dict[str, list[Number]] = Field(description="By level as in the request, for instance 0.1.")
    paths: list[list[Number]] | None = Field(None, description="Each the values of all steps; left out if not asked.")


class LabelForecast(Wire):
    """The forecast of one series of labels."""

    id: str
    start: str | int = Field(description="Time of the first forecast step, or how many steps after the first value.")
    freq: str
    label: list[str] = Field(description="The likeliest label of each step.")
    probabilities: dict[str, list[Number]] = Field(description="Of each label at each step.")
    paths: list[list[str]] | None = Field(
        None, description="Joint sample paths, where asked for; one that reaches the label that ends a series ends."
    )


class ForecastResponse(Wire):
    """Forecasts in the order of the request."""

    model: ModelVersion
    forecasts: list[SeriesForecast | LabelForecast]
    warnings: list[str] = Field(
        description="What the model has never seen (labels, categories, covariates that now move, values that are not"
        " above 0), and how it read it; and what looks like a mistake (a value far from all others, a gap beyond"
        " belief, values that come far apart). A hundred sentences at most."
    )


class Card(Wire):
    """What the service forecasts with."""

    model: ModelVersion
    freq: str
    zone: str | None = Field(description="Time zone of the model; null where it has none.")
    horizon: int = Field(description="Steps that the model forecasts at once; any horizon is served.")
    known: list[str]
    past: list[str]
    static: list[str]
    labels: list[str] = Field(description="The vocabulary of a model of labels; empty for one of numbers.")
    whole: str | None = Field(description="What is told of each series, at a horizon of 1; null where steps are.")
    links: dict[str, str]


W = TypeVar("W", bound=Wire)


def read_request(kind: type[W], body: bytes) -> W:
    """The request in a body. Raises RequestError: 400 for what is not JSON, 422 for what is none."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise RequestError.of_schema(error, body) from None
