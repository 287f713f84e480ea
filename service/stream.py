"""The way of a request that has only what is new: what was read of its series before is remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from pipelines.data.panel import Panel
from pipelines.forecasting.admit import readable
from pipelines.forecasting.ask import ask
from pipelines.forecasting.doubts import doubts
from pipelines.streams.recall import Recall, ahead
from pipelines.streams.store import Streams
from pipelines.streams.stream import Stream, interrupted
from pipelines.streams.stream import check as goes_on
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
    if (steps := sum(len(one.target) for one in request.series)) > MAX_STEPS:
        message, remedy = f"{steps} steps are more than {MAX_STEPS}", "send the histories in several requests"
        raise DataError(message, place="series", remedy=remedy)
    with store.alone(champion.name) as writer:
        there = writer.find([one.id for one in request.series])
        given = _placed(request.series, there, data)
        readable(given, artifact.model, begun=np.array([one.id in there for one in request.series]))
        for one, reach in zip(request.series, _reach(given, there), strict=True):
            check_reach(one, reach + request.horizon)
        streams = writer.add(given, there)
        coming = ahead(given, streams)
        coming.frequency.check(coming.start, coming.lengths + request.horizon, coming.zone, coming.ids, "horizon")
        begin = _begin(request.series, given, coming, data)
    memory = recall.memory(store, streams, given)
    predictions = ask(artifact, coming, question(request, keeper), memory)
    warnings = (*doubts(artifact, given), *interrupted(given, there))
    return respond(champion, request, begin, predictions, warnings, keeper)


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
    start = [begin if one.target else there[one.id].next for one, begin in zip(series, given.start, strict=True)]
    zone = given.zone if any(one.target for one in series) else there[series[0].id].zone
    placed = replace(given, start=np.array(start, dtype=np.int64), zone=zone)
    goes_on(placed, there)
    return placed


def _written(series: Sequence[StreamSeries]) -> list[StreamSeries]:
    """Those without a start with that of another one, so that all are read and answered as that is written."""
    other = next((one.start for one in series if one.start is not None), None)
    return [one if one.start is not None else one.model_copy(update={"start": other}) for one in series]


def _begin(series: Sequence[StreamSeries], given: Panel, coming: Panel, data: DataSpec) -> list[str | int]:
    """When each forecast begins, as the request writes time, or else in the time of the zone."""
    if all(one.start is None for one in series):
        return written(coming.start, coming.zone, steps=coming.frequency.is_step)
    return forecast_starts(_written(series), given, coming.start, data.zone)


def _reach(given: Panel, there: Mapping[str, Stream]) -> list[int]:
    """Up to which of its steps each series is known, with what is given: known covariates go on from there."""
    ends = given.ends()
    after = np.array([there[name].next if name in there else end for name, end in zip(given.ids, ends, strict=True)])
    steps, _ = given.frequency.locate(np.maximum(after, ends), given.start, given.zone)
    return [int(step) for step in steps]
