"""A series that lives on, and whether more can be added to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from forecaster.errors import DataError
from pipelines.data.oddities import GAP
from pipelines.data.panel import Panel
from pipelines.streams.steps import ANEW

LONGEST = 10_000
"""Steps that may be left out between two requests; more are taken for a wrong time."""


@dataclass(frozen=True)
class Stream:
    """A series that lives on. Its steps are counted from that at `origin`, a time as in a panel."""

    number: int
    model: str
    series: str
    frequency: str
    zone: str | None
    kind: str
    """Numbers, or labels."""
    origin: int
    first: int
    """Its first step."""
    next: int
    """The step after its last."""
    revision: int
    """Raised when what was said of it changes; what another database says of a series of this number has another."""
    heard: float
    """When something was last said of it, in seconds since 1970."""

    def after(self, first: int, end: int, heard: float, *, again: bool) -> "Stream":
        """With steps from `first` to before `end`; `again` where what was said before has changed."""
        revision = self.revision + (again or first < self.first)
        return replace(self, first=min(self.first, first), next=max(self.next, end), revision=revision, heard=heard)


Places = Int64[ndarray, "series"]


def times(panel: Panel, streams: Sequence[Stream], steps: Sequence[int] | Places) -> Places:
    """When steps of streams are, one of each, on the clock of a panel."""
    origin = np.array([one.origin for one in streams], dtype=np.int64)
    return panel.frequency.advance(origin, np.array(steps, dtype=np.int64), panel.zone)


def places(panel: Panel, there: Mapping[str, Stream]) -> Places:
    """At which steps of their streams the series of a panel begin, 0 where there is none.

    Raises DataError on a time off the grid of a stream.
    """
    origin = [there[name].origin if name in there else time for name, time in zip(panel.ids, panel.start, strict=True)]
    first, on_grid = panel.frequency.locate(panel.start, np.array(origin, dtype=np.int64), panel.zone)
    if not on_grid.all():
        stream = there[panel.ids[on_grid.argmin()]]
        grid = panel.frequency.text(stream.origin, panel.zone)
        raise DataError(
            f"off the grid of {stream.frequency!r} that begins at {grid}",
            series=stream.series,
            place=f"start {panel.frequency.text(int(panel.start[on_grid.argmin()]), panel.zone)}",
            remedy=f"correct it, or {ANEW}",
        )
    return first


def check_clock(panel: Panel, kind: str, there: Mapping[str, Stream]) -> None:
    """Raises DataError where a series was on another clock before, or of another kind."""
    now = (kind, panel.frequency.name, panel.zone)
    for stream in there.values():
        if (before := (stream.kind, stream.frequency, stream.zone)) != now:
            message, remedy = f"it was {_clock(*before)}, and is {_clock(*now)} now", f"send it as before, or {ANEW}"
            raise DataError(message, series=stream.series, place="start", remedy=remedy)


def check_holes(panel: Panel, first: Places, there: Mapping[str, Stream]) -> list[str]:
    """Sentences on series that leave out many more steps than are known of them: a year that is wrong.

    Raises DataError where known covariates of steps are needed that are left out, or these are too many.
    """
    sentences = []
    for name, begin, length in zip(panel.ids, first.tolist(), panel.lengths.tolist(), strict=True):
        if (stream := there.get(name)) is None:
            continue
        hole = max(begin - stream.next, stream.first - (begin + length))
        text = [
            panel.frequency.text(int(times(panel, [stream], [step])[0]), panel.zone)
            for step in ((begin, stream.first, stream.next) if hole > 0 else ())
        ]
        if hole > LONGEST:
            message = f"{hole} steps lie between it and what is known, from {text[1]} to {text[2]}"
            raise DataError(message, series=name, place=f"start {text[0]}", remedy=f"correct it, or {ANEW}")
        if hole > 0 and panel.known_names:
            message = f"{hole} steps are left out, of which {', '.join(panel.known_names)} must be known"
            remedy = "give these too, with null for a target that is missing"
            raise DataError(message, series=name, place=f"start {text[0]}", remedy=remedy)
        if hole > GAP * (stream.next - stream.first):
            sentences.append(
                f"series {name!r}, start {text[0]}: {hole} steps are left out, over {GAP} times as many as are known;"
                f" where that is a mistake {ANEW}"
            )
    return sentences


def _clock(kind: str, frequency: str, zone: str | None) -> str:
    return f"{kind} at {frequency!r} {f'in {zone}' if zone else 'without a zone'}"
