"""What a worker remembers of streams, so that one new observation costs one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np
from cachetools import LRUCache
from jaxtyping import UInt8
from prometheus_client import Counter
from torch import Tensor

from forecaster.artifact import Artifact
from forecaster.errors import DataError
from pipelines.data.grid import offsets, stretches
from pipelines.data.panel import Panel
from pipelines.forecasting.memory import Memory
from pipelines.forecasting.readable import readable
from pipelines.streams.steps import panel_of
from pipelines.streams.store import Streams
from pipelines.streams.stream import Places, Stream, times

REMEMBERED = 256 * 2**20
"""Bytes of what a worker remembers; what was used longest ago is read anew when it is needed."""
BESIDE = 1024
"""Bytes that a series takes beside its state."""
AT_ONCE = 200_000
"""Steps that are read at a time, which bounds the memory of long histories."""

steps_read = Counter("forecaster_stream_steps", "Steps of streams that a model has read.")


@dataclass(frozen=True)
class Remembered:
    """What is left of a stream up to a time, as of a revision."""

    revision: int
    next: int
    static: tuple[str, ...]
    row: UInt8[Tensor, "bytes"]


class Recall:
    """The streams that one version of a model has read: the fold over their first steps goes on from there."""

    def __init__(self, artifact: Artifact, room: int = REMEMBERED) -> None:
        self.artifact, self.lock, self.none = artifact, Lock(), Memory.none(artifact.model)
        self.known: LRUCache[int, Remembered] = LRUCache(room, getsizeof=lambda one: one.row.numel() + BESIDE)

    def memory(self, store: Streams, streams: Sequence[Stream], like: Panel) -> Memory:
        """What is left of streams, with all of their steps; `like` has their ids, columns and categories.

        Raises DataError on what was added for another model and does not fit this one.
        """
        model, data = self.artifact.model, self.artifact.spec.data
        static = [tuple(row) for row in like.static.tolist()]
        before = [self._recalled(*one) for one in zip(streams, static, strict=True)]
        begin = np.array([s.first if k is None else k.next for s, k in zip(streams, before, strict=True)])
        left = np.array([one.next for one in streams]) - begin
        memory = self.none.recalled([None if one is None else one.row for one in before])
        while left.any():
            length = np.minimum(left, max(1, AT_ONCE // len(streams)))
            told = store.between(streams, begin.tolist(), (begin + length).tolist())
            came = panel_of(told, times(like, streams, begin), length, like)
            readable(came, model, begun=np.ones(len(came), dtype=bool))
            memory, begin, left = memory.after(model, data, came), begin + length, left - length
            steps_read.inc(came.total)
        now = store.present(streams)
        if any(one.number not in now or now[one.number].revision != one.revision for one in streams):
            return self.memory(store, [_again(one, now) for one in streams], like)  # another request was faster
        with self.lock:
            for stream, kinds, row in zip(streams, static, memory.rows(), strict=True):
                if row.numel() + BESIDE <= self.known.maxsize:
                    self.known[stream.number] = Remembered(stream.revision, stream.next, kinds, row)
        return memory

    def _recalled(self, stream: Stream, static: tuple[str, ...]) -> Remembered | None:
        with self.lock:
            known = self.known.get(stream.number)
        if known is None or (known.revision, known.static) != (stream.revision, static):
            return None
        return known if known.next <= stream.next else None  # another request may have read on meanwhile


def ahead(panel: Panel, first: Places, streams: Sequence[Stream]) -> Panel:
    """The series of a panel, which begin at the `first` steps of their streams, without steps, where these end, and
    with what is known of the steps ahead."""
    after = np.array([one.next for one in streams])
    gone = after - first
    reach = np.maximum(np.diff(panel.known_indptr) - gone, 0)
    return replace(
        panel,
        start=times(panel, streams, after),
        values=panel.values[:0],
        past=panel.past[:0],
        indptr=np.zeros(len(panel) + 1, dtype=np.int64),
        known=panel.known[stretches(panel.known_indptr[:-1] + gone, reach)],
        known_indptr=offsets(reach),
    )


def _again(stream: Stream, present: Mapping[int, Stream]) -> Stream:
    """A stream at its present revision, up to where it was. Raises DataError where it was forgotten meanwhile."""
    if stream.number not in present:
        raise DataError("nothing is known of it", series=stream.series, place="target", remedy="give its history")
    return replace(present[stream.number], next=stream.next)
