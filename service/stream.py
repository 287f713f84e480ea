"""The way of a request that has only what is new: what was read of its series before is remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from pipelines.data.panel import Panel
from pipelines.forecasting.ask import ask
from pipelines.forecasting.doubts import doubts
from pipelines.forecasting.readable import readable
from pipelines.streams.recall import Recall, ahead
from pipelines.streams.store import Streams
from pipelines.streams.stream import Places, Stream, check_clock, check_holes, places, times
from service.answers import question, respond
from service.keep import Keeper
from service.request import check, check_reach, read_panel
from service.schema import MAX_STEPS, ForgetRequest, ForgetResponse, StreamRequest, StreamSeries, read_request
from service.source import Champion
from service.times import check_once, forecast_starts, written


def go_on(champion: Champion, recall: Recall, store: Streams, body: bytes, keeper: Keeper | None = None) -> bytes:
    """The response to a request with what is new of series: the forecast that their whole histories would get.

    What is refused adds nothing, but where what was added before does not fit the model, or the forecast is too large.
    Raises what `service.forecast.answer` does, and UnavailableError where the database does not answer.
    """
    request, artifact = read_request(StreamRequest, body), champion.artifact
    data = artifact.spec.data
    if data.whole is not None:
        message = f"the model tells {data.whole.name!r} of whole series, which do not go on"
        raise DataError(message, place="series", remedy="send them to POST /forecast")
    check(request, data)
    with store.alone(champion.name) as writer:
        there = writer.find([one.id for one in request.series])
        given = _placed(request.series, there, data)
        first = places(given, there)
        warnings = check_holes(given, first, there)
        readable(given, artifact.model, begun=np.array([one.id in there for one in request.series]))
        _check_sizes(request, given, first, there)
        streams = writer.add(given, _kind(data), first.tolist(), there)
        coming = ahead(given, first, streams)
        coming.frequency.check(coming.start, coming.lengths + request.horizon, coming.zone, coming.ids, "horizon")
        begin = _begin(request.series, given, coming, data)
    memory = recall.memory(store, streams, given)
    predictions = ask(artifact, coming, question(request, keeper), memory)
    return respond(champion, request, begin, predictions, doubts(artifact, given, warnings), keeper)


def forget(champion: Champion, store: Streams, body: bytes) -> bytes:
    """Forget the series of a request. Raises what `go_on` does."""
    request = read_request(ForgetRequest, body)
    with store.alone(champion.name) as writer:
        forgotten = ForgetResponse(forgotten=writer.forget(request.series))
    return forgotten.model_dump_json().encode()


def _placed(series: Sequence[StreamSeries], there: Mapping[str, Stream], data: DataSpec) -> Panel:
    """The panel of what is given; a series of which nothing is new starts where it ended."""
    for one in series:
        if one.target and one.start is None:
            remedy = "give the time of the first value, so that what is sent twice counts once"
            raise DataError("no start", series=one.id, place="start", remedy=remedy)
        if not one.target and one.start is not None:
            remedy = "leave start out: it starts where it ended"
            raise DataError("a start, and nothing is new", series=one.id, place="start", remedy=remedy)
        if not one.target and one.id not in there:
            raise DataError("nothing is known of it", series=one.id, place="target", remedy="give its history")
    given = read_panel(_written(series), data)
    check_once(series, given)
    zone = given.zone if any(one.target for one in series) else there[series[0].id].zone
    check_clock(replace(given, zone=zone), _kind(data), there)
    old = [there[one.id] for one in series if not one.target]
    start = given.start.copy()
    start[[not one.target for one in series]] = times(given, old, [one.next for one in old])
    return replace(given, start=start, zone=zone)


def _written(series: Sequence[StreamSeries]) -> list[StreamSeries]:
    """Those without a start with that of another one, so that all are read and answered as that is written."""
    other = next((one.start for one in series if one.start is not None), None)
    return [one if one.start is not None else one.model_copy(update={"start": other}) for one in series]


def _begin(series: Sequence[StreamSeries], given: Panel, coming: Panel, data: DataSpec) -> list[str | int]:
    """When each forecast begins, as the request writes time, or else in the time of the zone."""
    if all(one.start is None for one in series):
        return written(coming.start, coming.zone, steps=coming.frequency.is_step)
    return forecast_starts(_written(series), given, coming.start, data.zone)


def _check_sizes(request: StreamRequest, given: Panel, first: Places, there: Mapping[str, Stream]) -> None:
    """Raises DataError where too many steps come at once, those that are left out among them, and where covariates
    are not known from the start of what is given to the horizon after all that is known."""
    ends = first + given.lengths
    after = np.array([there[name].next if name in there else 0 for name in given.ids])
    if (steps := int(np.maximum(ends - np.minimum(first, after), 0).sum())) > MAX_STEPS:
        message, remedy = f"{steps} steps are more than {MAX_STEPS}", "send the histories in several requests"
        raise DataError(message, place="series", remedy=remedy)
    for one, reach in zip(request.series, np.maximum(ends, after) - first, strict=True):
        check_reach(one, int(reach) + request.horizon)


def _kind(data: DataSpec) -> str:
    return "labels" if data.steps else "numbers"
