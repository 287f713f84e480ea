"""What a worker remembers of streams, so that one new observation costs one step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from cachetools import LRUCache
from prometheus_client import Counter

from forecaster.artifact import Artifact
from pipelines.data.grid import offsets, stretches
from pipelines.data.panel import Panel
from pipelines.forecasting.memory import Memory, Trace
from pipelines.streams.steps import panel_of
from pipelines.streams.store import Streams
from pipelines.streams.stream import Stream

ROOM = 256 * 2**20
"""Bytes of what a worker remembers; what was used longest ago is read anew when it is needed."""

read = Counter("forecaster_stream_steps", "Steps of streams that a model has read.")


@dataclass(frozen=True)
class Known:
    """What is left of a stream up to a time, as of a revision."""

    revision: int
    next: int
    trace: Trace


class Recall:
    """The streams that one version of a model has read: the fold over their first steps goes on from there."""

    def __init__(self, artifact: Artifact, room: int = ROOM) -> None:
        self.artifact, self.lock = artifact, Lock()
        self.known: LRUCache[int, Known] = LRUCache(room, getsizeof=lambda one: one.trace.carry.numel())

    def memory(self, store: Streams, streams: Sequence[Stream], like: Panel) -> Memory:
        """What is left of streams, with all of their steps; `like` has their ids, columns and categories."""
        model, data = self.artifact.model, self.artifact.spec.data
        before = [self._recalled(one) for one in streams]
        begin = np.array([s.start if k is None else k.next for s, k in zip(streams, before, strict=True)])
        came = panel_of(store.since(streams, begin.tolist()), begin, like)
        traces = [None if one is None else one.trace for one in before]
        memory = Memory.of(model, traces).after(model, data, came)
        read.inc(came.total)
        now = zip(streams, came.ends().tolist(), memory.traces(), strict=True)
        with self.lock:
            for stream, upto, trace in now:
                if trace.carry.numel() <= self.known.maxsize:
                    self.known[stream.number] = Known(stream.revision, upto, trace)
        return memory

    def _recalled(self, stream: Stream) -> Known | None:
        with self.lock:
            known = self.known.get(stream.number)
        fits = known is not None and known.revision == stream.revision and known.next <= stream.next
        return known if fits else None  # another request may have read on meanwhile


def ahead(panel: Panel, streams: Sequence[Stream]) -> Panel:
    """The series of a panel without steps, where their streams end, with what is known of the steps ahead."""
    after = np.array([one.next for one in streams])
    gone = panel.frequency.locate(after, panel.start, panel.zone)[0]
    reach = np.maximum(np.diff(panel.known_indptr) - gone, 0)
    return replace(
        panel,
        start=after,
        values=panel.values[:0],
        past=panel.past[:0],
        indptr=np.zeros(len(panel) + 1, dtype=np.int64),
        known=panel.known[stretches(panel.known_indptr[:-1] + gone, reach)],
        known_indptr=offsets(reach),
    )
