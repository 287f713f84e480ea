"""When the series of a request begin, and when their forecasts do, written as the client writes time."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from forecaster.errors import DataError
from forecaster.manifest import DataSpec
from pipelines.clock.zone import SECOND, Times, local, offset_text, parse_zone, utc
from pipelines.data.panel import Panel
from service.schema import Series

_TIME = re.compile(r"\s*\d{4}-\d\d(-\d\d([T ][\d:.]+\s*(?P<offset>[Zz]|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?)?)?\s*$")


def starts(series: Sequence[Series], data: DataSpec) -> list[str | int]:
    """When each series begins; where no series says it, with the first step of 1970.

    That counts the steps of a model that counts them, and is a guess for one that knows the calendar.
    """
    if all(one.start is None for one in series):
        return [first_step(data.frequency, 1970)] * len(series)
    return [_checked(one) for one in series]


def first_step(frequency: str, year: int) -> str | int:
    """When the first step of a year begins; 0 where steps are counted."""
    return 0 if frequency == "step" else to_offset(frequency).rollforward(pd.Timestamp(year, 1, 1)).isoformat()


def _checked(one: Series) -> str | int:
    if one.start is None:
        message, remedy = "no start, and other series have one", "give every series its start, or none"
    elif isinstance(one.start, str) and not _TIME.match(one.start):
        message, remedy = f"{one.start!r} is no time", "write it as in 2024-01-31T18:00:00+01:00"
    else:
        return one.start
    raise DataError(message, series=one.id, place="start", remedy=remedy)


def forecast_starts(series: Sequence[Series], panel: Panel, ends: Times, zone: str | None) -> list[str | int]:
    """The `ends` of series, when their forecasts begin, in the UTC offset of its series' start.

    Where that is the offset of the model's `zone` at that time, the forecast has the zone's offset too, on
    the other side of a change of the clocks as well. Raises DataError for several offsets that are not
    those of the zone.
    """
    if series[0].start is None:
        return [int(length) for length in panel.lengths]
    if panel.frequency.is_step:
        return [int(end) for end in ends]
    names = [_offset(str(one.start)) for one in series]
    if "" in names:  # then none has an offset: the panel refuses both kinds together
        return _texts(local(ends, panel.zone), None)
    widths = {name: _width(name) for name in set(names)}
    offset = np.array([widths[name] for name in names])
    at_home = np.zeros(len(series), dtype=bool)
    if zone is not None:
        at_home = local(panel.start, zone) - panel.start == offset
    if len(set(widths.values())) > 1 and not at_home.all():
        i = int(at_home.argmin())
        raise DataError(
            f"the UTC offset {names[i]}, and other series have others",
            series=series[i].id,
            place="start",
            remedy="write all starts with one offset" + (f", or in the time of {zone}" if zone else ""),
        )
    offset = np.where(at_home, local(ends, zone) - ends, offset)
    return _texts(ends + offset, offset)


def written(times: Times, zone: str | None, *, steps: bool) -> list[str | int]:
    """Times of a panel in the time of its zone, or steps."""
    wall = local(times, zone)
    return times.tolist() if steps else _texts(wall, None if zone is None else wall - times)


def check_once(series: Sequence[Series], panel: Panel) -> None:
    """Raises DataError on a start without an offset that the clock shows twice: nobody knows which is meant."""
    if panel.zone is None or not panel.frequency.is_fixed:
        return
    first, last = utc(local(panel.start, panel.zone), panel.zone)
    for one, twice in zip(series, first != last, strict=True):
        if twice and one.start is not None and not _offset(str(one.start)):
            message = f"the clock of {panel.zone} shows {one.start} twice"
            raise DataError(message, series=one.id, place="start", remedy="write it with its UTC offset")


def _offset(start: str) -> str:
    found = _TIME.match(start)
    return (found and found["offset"]) or ""


def _width(offset: str) -> int:
    """Nanoseconds."""
    return int(local(np.zeros(1, dtype=np.int64), parse_zone(offset))[0])


def _texts(wall: Times, offset: Times | None) -> list[str | int]:
    """ISO 8601, to the second where that says it all."""
    unit = "s" if (wall % SECOND == 0).all() else "ns"
    texts = np.datetime_as_string(wall.view("datetime64[ns]").astype(f"datetime64[{unit}]"))
    if offset is None:
        return [str(text) for text in texts]
    return [f"{text}{offset_text(one)}" for text, one in zip(texts, offset.tolist(), strict=True)]
