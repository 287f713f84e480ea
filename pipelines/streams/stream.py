"""A series that lives on, and whether more can be added to it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from forecaster.errors import DataError
from pipelines.data.panel import Panel

LONGEST = 10_000
"""Steps that may be left out between two requests; more are taken for a wrong time."""


@dataclass(frozen=True)
class Stream:
    """A series that lives on; times are as in a panel."""

    number: int
    model: str
    series: str
    frequency: str
    zone: str | None
    start: int
    """The time of its first step."""
    next: int
    """The time of the step after its last."""
    revision: int
    """How often what was said of it has changed."""
    static: str
    """Its categories, as JSON."""

    def after(self, panel: Panel, i: int, end: int, *, again: bool) -> "Stream":
        """With the steps of a panel's series `i`, up to `end`; `again` where what was said before has changed."""
        return replace(
            self,
            start=min(self.start, int(panel.start[i])),
            next=max(self.next, end),
            revision=self.revision + (again or static(panel, i) != self.static),
            static=static(panel, i),
        )


def static(panel: Panel, i: int) -> str:
    """The categories of a panel's series, as JSON."""
    return json.dumps(dict(zip(panel.static_names, panel.static[i].tolist(), strict=True)))


def check(panel: Panel, there: Mapping[str, Stream]) -> None:
    """Raises DataError where a series of a panel cannot go on with it."""
    going = np.flatnonzero([name in there for name in panel.ids])
    streams = [there[name] for name in panel.ids[going]]
    now = (panel.frequency.name, panel.zone)
    for stream in streams:
        if (before := (stream.frequency, stream.zone)) != now:
            raise DataError(
                f"its times were {_clock(*before)}, and are {_clock(*now)} now",
                series=stream.series,
                place="start",
                remedy="write them as before, or forget the series and give its history again",
            )
    if streams:
        _check_places(panel, going, streams)


def _check_places(panel: Panel, going: Int64[ndarray, "going"], streams: Sequence[Stream]) -> None:
    """Whether the steps of these series of a panel are on the grids of their streams, and near enough."""
    begin, end = panel.start[going], panel.ends()[going]
    first, after = np.array([one.start for one in streams]), np.array([one.next for one in streams])
    on_grid = panel.frequency.locate(begin, first, panel.zone)[1]
    holes = [panel.frequency.locate(to, since, panel.zone)[0] for to, since in ((begin, after), (first, end))]
    hole = np.maximum(*holes)
    wrong = ~on_grid | (hole > (0 if panel.known_names else LONGEST))
    if not wrong.any():
        return
    i = int(wrong.argmax())
    known_from, known_to, here = (panel.frequency.text(int(times[i]), panel.zone) for times in (first, after, begin))
    anew = "correct it, or forget the series and give its history again"
    if not on_grid[i]:
        message, remedy = f"off the grid of {panel.frequency.name!r} that begins at {known_from}", anew
    elif hole[i] > LONGEST:
        message, remedy = f"{hole[i]} steps lie between it and what is known, from {known_from} to {known_to}", anew
    else:
        message = f"{hole[i]} steps are left out, of which {', '.join(panel.known_names)} must be known"
        remedy = f"give all from {known_to} on, and null for a target that is missing"
    raise DataError(message, series=streams[i].series, place=f"start {here}", remedy=remedy)


def _clock(frequency: str, zone: str | None) -> str:
    return f"{frequency!r} in {zone}" if zone else f"{frequency!r} without a zone"
