"""A series that lives on, and whether more can be added to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from forecaster.errors import DataError
from pipelines.data.oddities import GAP
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

    def after(self, start: int, end: int, *, again: bool) -> "Stream":
        """With steps from `start` to `end`; `again` where what was said before has changed."""
        earlier = start < self.start
        first, last = min(self.start, start), max(self.next, end)
        return replace(self, start=first, next=last, revision=self.revision + (again or earlier))


def check(panel: Panel, there: Mapping[str, Stream]) -> None:
    """Raises DataError where a series of a panel cannot go on with it: it is on another clock than before, leaves out
    steps whose known covariates are needed, or so many that its time looks wrong."""
    now = (panel.frequency.name, panel.zone)
    going, streams = _going(panel, there)
    for stream in streams:
        if (before := (stream.frequency, stream.zone)) != now:
            raise DataError(
                f"its times were {_clock(*before)}, and are {_clock(*now)} now",
                series=stream.series,
                place="start",
                remedy="write them as before, or forget the series and give its history again",
            )
    first = np.array([one.start for one in streams], dtype=np.int64)
    on_grid = panel.frequency.locate(panel.start[going], first, panel.zone)[1]
    hole = _apart(panel, going, streams)
    wrong = ~on_grid | (hole > (0 if panel.known_names else LONGEST))
    if not wrong.any():
        return
    i = int(wrong.argmax())
    since, until, here = (
        panel.frequency.text(int(time), panel.zone)
        for time in (streams[i].start, streams[i].next, panel.start[going[i]])
    )
    anew = "correct it, or forget the series and give its history again"
    if not on_grid[i]:
        message, remedy = f"off the grid of {panel.frequency.name!r} that begins at {since}", anew
    elif hole[i] > LONGEST:
        message, remedy = f"{hole[i]} steps lie between it and what is known, from {since} to {until}", anew
    else:
        message = f"{hole[i]} steps are left out, of which {', '.join(panel.known_names)} must be known"
        remedy = f"give all from {until} on, and null for a target that is missing"
    raise DataError(message, series=streams[i].series, place=f"start {here}", remedy=remedy)


def interrupted(panel: Panel, there: Mapping[str, Stream]) -> Iterator[str]:
    """A sentence on each series that leaves out many more steps than are known of it: a year that is wrong."""
    going, streams = _going(panel, there)
    first, after = (np.array([getattr(one, time) for one in streams], dtype=np.int64) for time in ("start", "next"))
    hole, known = _apart(panel, going, streams), panel.frequency.locate(after, first, panel.zone)[0]
    for i in np.flatnonzero(hole > GAP * known):
        yield (
            f"series {streams[i].series!r}, start {panel.frequency.text(int(panel.start[going[i]]), panel.zone)}:"
            f" {hole[i]} steps are left out, over {GAP} times as many as are known; where that is a mistake forget the"
            " series and give its history again"
        )


def _going(panel: Panel, there: Mapping[str, Stream]) -> tuple[Int64[ndarray, "going"], list[Stream]]:
    """The series of a panel that go on, and their streams."""
    going = np.flatnonzero([name in there for name in panel.ids])
    return going, [there[name] for name in panel.ids[going]]


def _apart(panel: Panel, going: Int64[ndarray, "going"], streams: Sequence[Stream]) -> Int64[ndarray, "going"]:
    """How many steps are left out between these series of a panel and what is known of them, on either side."""
    first, after = (np.array([getattr(one, time) for one in streams], dtype=np.int64) for time in ("start", "next"))
    begin, end = panel.start[going], panel.ends()[going]
    later, earlier = (panel.frequency.locate(to, since, panel.zone)[0] for to, since in ((begin, after), (first, end)))
    return np.maximum(np.maximum(later, earlier), 0)


def _clock(frequency: str, zone: str | None) -> str:
    return f"{frequency!r} in {zone}" if zone else f"{frequency!r} without a zone"
