"""The way of a request that has only what is new: what was read of its series before is remembered."""

from collections.abc import Mapping

import numpy as np

from forecaster.errors import DataError
from pipelines.data.panel import Panel
from pipelines.forecasting.admit import readable
from pipelines.forecasting.ask import ask
from pipelines.forecasting.doubts import doubts
from pipelines.streams.recall import Recall, ahead
from pipelines.streams.store import Streams
from pipelines.streams.stream import Stream
from service.answers import question, respond
from service.keep import Keeper
from service.request import check, check_reach, read_panel
from service.schema import ForgetRequest, ForgetResponse, StreamRequest, StreamSeries, read_request
from service.source import Champion
from service.times import forecast_starts, written


def go_on(champion: Champion, recall: Recall, store: Streams, body: bytes, keeper: Keeper | None = None) -> bytes:
    """The response to a request with what is new of series: the forecast that their whole histories would get.

    What is refused adds nothing. Raises what `service.forecast.answer` does, and UnavailableError where the database
    does not answer.
    """
    request, artifact = read_request(StreamRequest, body), champion.artifact
    data = artifact.spec.data
    if data.whole is not None:
        message = f"the model tells {data.whole.name!r} of whole series, which do not go on"
        raise DataError(message, place="series", remedy="send them to POST /forecast")
    check(request, data)
    with store.alone(champion.name) as writer:
        there = writer.find([one.id for one in request.series])
        series = [_placed(one, there.get(one.id)) for one in request.series]
        given = read_panel(series, data)
        readable(given, artifact.model, begun=np.array([one.id in there for one in series]))
        for one, reach in zip(series, _reach(given, there), strict=True):
            check_reach(one, reach + request.horizon)
        streams = writer.add(given, there)
    memory, coming = recall.memory(store, streams, given), ahead(given, streams)
    begin = forecast_starts(series, given, coming.start, data.zone)
    predictions = ask(artifact, coming, question(request, keeper), memory)
    return respond(champion, request, begin, predictions, doubts(artifact, given), keeper)


def forget(champion: Champion, store: Streams, body: bytes) -> bytes:
    """Forget the series of a request. Raises what `go_on` does."""
    request = read_request(ForgetRequest, body)
    with store.alone(champion.name) as writer:
        forgotten = ForgetResponse(forgotten=writer.forget(request.series))
    return forgotten.model_dump_json().encode()


def _placed(one: StreamSeries, stream: Stream | None) -> StreamSeries:
    """A series with its start; one of which nothing is new starts where it ended."""
    if one.start is not None:
        return one
    if one.target:
        remedy = "give the time of the first value, so that what is sent twice counts once"
        raise DataError("no start", series=one.id, place="start", remedy=remedy)
    if stream is None:
        raise DataError("nothing is known of it", series=one.id, place="target", remedy="give its history")
    return one.model_copy(update={"start": written(stream.next, stream.frequency, stream.zone)})


def _reach(given: Panel, there: Mapping[str, Stream]) -> list[int]:
    """Up to which of its steps each series is known, with what is given: known covariates go on from there."""
    ends = given.ends()
    after = np.array([there[name].next if name in there else end for name, end in zip(given.ids, ends, strict=True)])
    steps, _ = given.frequency.locate(np.maximum(after, ends), given.start, given.zone)
    return [int(step) for step in steps]
