"""The work on Parquet files of any size: rows are dealt out by series, and each shard of series is forecast by itself.

A piece of the input becomes a file with one row group for each shard, and a shard one file of forecasts. Both are
written under a temporary name and renamed: what is there is whole, and is not done again.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from forecaster.artifact import Artifact
from pipelines.data.column import distinct
from pipelines.data.doors import panel_from_frame
from pipelines.data.panel import Panel
from pipelines.evaluation.split import after
from pipelines.forecasting.ask import Question, answer_frame, reading
from pipelines.forecasting.doubts import doubts

log = logging.getLogger(__name__)

WORK = "_work"
"""The folder of the pieces: whoever reads Parquet skips names that begin so."""

Piece = tuple[int, list[ds.ParquetFileFragment]]
"""Its number and its row groups."""


@dataclass(frozen=True)
class Job:
    """What every shard is asked."""

    artifact: Artifact
    question: Question
    zone: str | None
    duplicates: str
    out: Path
    schema: pa.Schema
    """Of the columns that are needed."""
    shards: int
    together: int
    """Series that are held with their forecasts at a time."""
    last: str | None
    """The last time with a y, of all series: what comes after it waits for a forecast. None with known covariates."""

    @property
    def work(self) -> Path:
        """The folder of the pieces."""
        return self.out / WORK


def deal(job: Job, piece: Piece) -> None:
    """Sort the rows of a piece by the shards that their series belong to, in the order that they had."""
    number, groups = piece
    out = job.work / f"{number:06d}.parquet"
    if out.exists():
        return
    table = pa.concat_tables([group.to_table(schema=job.schema) for group in groups])
    words, codes = distinct(table["unique_id"])
    shard = np.append(pd.util.hash_array(np.array(words, dtype=object), categorize=False) % job.shards, 0)[codes]
    order = np.argsort(shard, kind="stable")
    table, bounds = table.take(order), np.searchsorted(shard[order], np.arange(job.shards + 1))
    plain = pa.schema([(field.name, getattr(field.type, "value_type", field.type)) for field in job.schema])
    fresh = out.with_suffix(".new")
    with pq.ParquetWriter(fresh, plain) as writer:
        for begin, end in pairwise(bounds):
            writer.write_table(table.slice(begin, end - begin).cast(plain), row_group_size=max(1, end - begin))
    fresh.replace(out)


def forecast(job: Job, shard: int) -> None:
    """Forecast one shard; one without a series leaves no file."""
    out = job.out / f"part-{shard:06d}.parquet"
    if out.exists():
        return
    texts = [field.name for field in job.schema if pa.types.is_dictionary(field.type)]
    pieces = (pq.ParquetFile(file, read_dictionary=texts) for file in sorted(job.work.glob("*.parquet")))
    table = pa.concat_tables([piece.read_row_group(shard) for piece in pieces])
    if not table.num_rows:
        return
    panel = panel_from_frame(table, **reading(job.artifact, job.zone, job.duplicates), to_the_end=True)
    if not panel.known_names:  # else each series ends with its own last y
        lengths = panel.lengths - after(panel, job.last)
        panel = panel.cut(np.maximum(lengths, panel.observed(panel.lengths)).clip(min=1))
    for sentence in doubts(job.artifact, panel):
        log.warning(sentence)
    answers = _answers(job, panel, shard)
    first, fresh = next(answers), out.with_suffix(".new")
    with pq.ParquetWriter(fresh, first.schema) as writer:
        for answer in chain([first], answers):
            writer.write_table(answer)
    fresh.replace(out)


def _answers(job: Job, panel: Panel, shard: int) -> Iterator[pa.Table]:
    """The forecasts of some series at a time; each time has its own seed."""
    for begin in range(0, len(panel), job.together):
        some = panel.select(np.arange(begin, min(begin + job.together, len(panel))))
        seed = int(np.random.SeedSequence((job.question.seed, shard, begin)).generate_state(1)[0])
        frame = answer_frame(job.artifact, some, replace(job.question, seed=seed))
        yield pa.Table.from_pandas(frame, preserve_index=False)
