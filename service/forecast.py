"""The way of a request that has whole histories: JSON -> request -> panel -> predict -> response -> JSON."""

from forecaster.errors import DataError
from pipelines.forecasting.ask import ask
from pipelines.forecasting.doubts import doubts
from service.answers import question, respond
from service.keep import Keeper
from service.request import check, check_reach, read_panel
from service.schema import ForecastRequest, read_request
from service.source import Champion
from service.times import forecast_starts


def answer(champion: Champion, body: bytes, keeper: Keeper | None = None) -> bytes:
    """The response to the body of a request, which `keeper` keeps where it can be held against what comes.

    Raises RequestError on a body that is no request, and DataError, which names the series, the place and the remedy.
    """
    request = read_request(ForecastRequest, body)
    data = champion.artifact.spec.data
    check(request, data)
    for series in request.series:
        if all(value is None for value in series.target):
            raise DataError("nothing but null", series=series.id, place="target", remedy="give at least one value")
    panel = read_panel(request.series, data)
    for series in request.series:
        check_reach(series, len(series.target) + (request.horizon if data.whole is None else 0))
    begin = forecast_starts(request.series, panel, panel.ends(), data.zone)
    kept = keeper if request.series[0].start is not None and data.whole is None else None
    predictions = ask(champion.artifact, panel, question(request, kept))
    return respond(champion, request, begin, predictions, doubts(champion.artifact, panel), kept)
