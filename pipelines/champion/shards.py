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
from forecaster.durable import replacing
from pipelines.arrow import plain
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
class Shards:
    """What every shard is asked, and where its pieces and its forecasts are."""

    artifact: Artifact
    question: Question
    zone: str | None
    duplicates: str
    out: Path
    schema: pa.Schema
    """Of the columns that are needed."""
    count: int
    together: int
    """Series that are held with their forecasts at a time."""
    last: str | None
    """The last time with a y, of all series: what comes after it waits for a forecast. None with known covariates."""

    @property
    def work(self) -> Path:
        """The folder of the pieces."""
        return self.out / WORK


def deal(shards: Shards, piece: Piece) -> None:
    """Sort the rows of a piece by the shards that their series belong to, in the order that they had."""
    number, groups = piece
    out = shards.work / f"{number:06d}.parquet"
    if out.exists():
        return
    table = pa.concat_tables([group.to_table(schema=shards.schema) for group in groups])
    words, codes = distinct(table["unique_id"])
    shard = np.append(pd.util.hash_array(np.array(words, dtype=object), categorize=False) % shards.count, 0)[codes]
    order = np.argsort(shard, kind="stable")
    table, bounds = table.take(order), np.searchsorted(shard[order], np.arange(shards.count + 1))
    schema = pa.schema([(field.name, plain(field.type)) for field in shards.schema])
    with replacing(out) as fresh, pq.ParquetWriter(fresh, schema) as writer:
        for begin, end in pairwise(bounds):
            writer.write_table(table.slice(begin, end - begin).cast(schema), row_group_size=max(1, end - begin))


def forecast(shards: Shards, shard: int) -> None:
    """Forecast one shard; one without a series leaves no file."""
    out = shards.out / f"part-{shard:06d}.parquet"
    if out.exists():
        return
    texts = [field.name for field in shards.schema if pa.types.is_dictionary(field.type)]
    pieces = (pq.ParquetFile(file, read_dictionary=texts) for file in sorted(shards.work.glob("*.parquet")))
    table = pa.concat_tables([piece.read_row_group(shard) for piece in pieces])
    if not table.num_rows:
        return
    panel = panel_from_frame(table, **reading(shards.artifact, shards.zone, shards.duplicates), to_the_end=True)
    if not panel.known_names:  # else each series ends with its own last y
        lengths = panel.lengths - after(panel, shards.last)
        panel = panel.cut(np.maximum(lengths, panel.observed(panel.lengths)).clip(min=1))
    for sentence in doubts(shards.artifact, panel):
        log.warning(sentence)
    answers = _answers(shards, panel, shard)
    first = next(answers)
    with replacing(out) as fresh, pq.ParquetWriter(fresh, first.schema) as writer:
        for answer in chain([first], answers):
            writer.write_table(answer)


def _answers(shards: Shards, panel: Panel, shard: int) -> Iterator[pa.Table]:
    """The forecasts of some series at a time; each time has its own seed."""
    for begin in range(0, len(panel), shards.together):
        some = panel.select(np.arange(begin, min(begin + shards.together, len(panel))))
        seed = int(np.random.SeedSequence((shards.question.seed, shard, begin)).generate_state(1)[0])
        frame = answer_frame(shards.artifact, some, replace(shards.question, seed=seed))
        yield pa.Table.from_pandas(frame, preserve_index=False)
