"""Who adds steps to the series of a model, and forgets them, in a transaction."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, delete, insert, select, update

from pipelines.data.panel import Panel
from pipelines.streams.steps import Said, steps
from pipelines.streams.stream import Stream
from pipelines.streams.tables import STEPS, STREAMS


@dataclass(frozen=True)
class Writer:
    """Reads and writes the series of one model, in a transaction."""

    connection: Connection
    model: str

    def find(self, ids: Sequence[str]) -> dict[str, Stream]:
        """Those of the series that there are, by their ids."""
        chosen = select(STREAMS).where(STREAMS.c.model == self.model, STREAMS.c.series.in_(ids))
        return {row.series: Stream(**row._asdict()) for row in self.connection.execute(chosen)}

    def add(self, panel: Panel, kind: str, first: Sequence[int], there: Mapping[str, Stream]) -> list[Stream]:
        """Add the steps of a panel, whose series begin at the `first` steps of those that are there.

        All of its series in their order, as they are then. What is said late, or otherwise than before, holds; a gap
        says nothing.
        """
        now, new, other = list[Stream](), list[dict[str, object]](), list[dict[str, object]]()
        before = {**there, **self._begin(panel, kind, [i for i, name in enumerate(panel.ids) if name not in there])}
        for name, begin, told in zip(panel.ids, first, steps(panel), strict=True):
            stream, end = before[name], begin + len(told)
            known = self._known(stream, begin, end)
            after = {step: known.get(step, {}) | said for step, said in enumerate(told, start=begin)}
            changed = {one: said for one, said in after.items() if one >= stream.next or said != known.get(one, {})}
            for step, said in changed.items():
                row = {"of": stream.number, "at": step, "said": orjson.dumps(said).decode()}
                (other if step in known else new).append(row)
            again = any(step < stream.next for step in changed)
            now.append(stream.after(begin, end, time.time(), again=again) if told else stream)
        of_step: dict[str, BindParameter[Any]] = {"stream": bindparam("of"), "step": bindparam("at")}
        if new:
            self.connection.execute(insert(STEPS).values(of_step | {"said": bindparam("said")}), new)
        if other:
            same = [STEPS.c[name] == value for name, value in of_step.items()]
            self.connection.execute(update(STEPS).where(*same).values(said=bindparam("said")), other)
        if moved := [vars(one) | {"of": one.number} for one in now if one != before[one.series]]:
            self.connection.execute(update(STREAMS).where(STREAMS.c.number == bindparam("of")), moved)
        return now

    def forget(self, ids: Sequence[str]) -> list[str]:
        """Forget series; returns the ids of those that there were."""
        return self._forget(STREAMS.c.series.in_(ids))

    def forget_silent(self, since: float) -> list[str]:
        """Forget the series of which nothing was said from a time on, in seconds since 1970; returns their ids."""
        return self._forget(STREAMS.c.heard < since)

    def _forget(self, which: ColumnElement[bool]) -> list[str]:
        chosen = STREAMS.c.model == self.model, which
        ids = list(self.connection.scalars(select(STREAMS.c.series).where(*chosen)))
        numbers = select(STREAMS.c.number).where(*chosen)
        self.connection.execute(delete(STEPS).where(STEPS.c.stream.in_(numbers)))
        self.connection.execute(delete(STREAMS).where(*chosen))
        return ids

    def _begin(self, panel: Panel, kind: str, new: Sequence[int]) -> dict[str, Stream]:
        """The streams of series that there were none of, before their first step."""
        rows = [
            {
                "model": self.model,
                "series": panel.ids[i],
                "frequency": panel.frequency.name,
                "zone": panel.zone,
                "kind": kind,
                "origin": int(panel.start[i]),
                "first": 0,
                "next": 0,
                "revision": secrets.randbelow(2**53),
                "heard": time.time(),
            }
            for i in new
        ]
        if not rows:
            return {}
        self.connection.execute(insert(STREAMS), rows)
        return self.find([panel.ids[i] for i in new])

    def _known(self, stream: Stream, begin: int, end: int) -> dict[int, Said]:
        """What was said before of the steps from one to before another."""
        if begin >= stream.next or end <= stream.first:
            return {}
        within = (STEPS.c.stream == stream.number, STEPS.c.step >= begin, STEPS.c.step < end)
        chosen = select(STEPS.c.step, STEPS.c.said).where(*within)
        return {step: orjson.loads(said) for step, said in self.connection.execute(chosen)}
