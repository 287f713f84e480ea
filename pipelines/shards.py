"""Forecasts of Parquet files of any size: rows are dealt out by series, and each shard of series is forecast by itself.

A piece of the input becomes a file with one row group for each shard, and a shard one file of forecasts. Both are
written under a temporary name and renamed: what is there is whole, so a job that was stopped goes on where it was.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from forecaster.artifact import Artifact, digest, load_artifact
from forecaster.errors import DataError
from pipelines.ask import Question, answer_frame
from pipelines.engine import Engine
from pipelines.panel import Panel, panel_from_frame
from pipelines.score import place, reading
from pipelines.table import check_columns, distinct

PIECE = 2**22
"""Rows that are dealt out at a time, or one row group where it is larger."""
SHARD = 2**21
"""Rows of a typical shard."""
VALUES = 2**24
"""Forecast values that a shard holds at a time."""
NOTE, WORK = "_forecast.json", "_work"
"""What was asked, and what is left to do it: whoever reads Parquet skips names that begin so."""

Piece = tuple[int, list[ds.ParquetFileFragment]]


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

    @property
    def work(self) -> Path:
        """The folder of the pieces."""
        return self.out / WORK


def score_shards(
    data: Path,
    horizon: int | None,
    out: Path,
    levels: tuple[float, ...],
    engine: Engine,
    *,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    name: str,
    model: str | None = None,
    zone: str | None = None,
    duplicates: str = "error",
) -> int:
    """Write the forecasts of every series of a Parquet file or folder into the folder `out`; returns the rows.

    Stopped at any moment, the same call goes on. Engines on several machines need `data` and `out` on all of them.
    Raises DataError where `out` holds something else.
    """
    folder = place(name, model)
    artifact = load_artifact(folder)
    question = Question(horizon or artifact.spec.task.horizon, levels, paths, temperature, seed)
    source = _dataset(data, artifact)
    rows = sum(fragment.count_rows() for fragment in source.get_fragments())
    many = max(1, -(-rows // SHARD)), max(1, VALUES // (question.horizon * (len(levels) + paths)))
    job = Job(artifact, question, zone, duplicates, out.absolute(), source.schema, *many)
    if _unfinished(job, source, digest(folder)):
        _all(engine.map(partial(_deal, job), _pieces(source)))
        _all(engine.map(partial(_forecast, job), range(job.shards)))
        shutil.rmtree(job.work)
    return sum(pq.read_metadata(part).num_rows for part in out.glob("*.parquet"))


def _dataset(data: Path, artifact: Artifact) -> ds.Dataset:
    """The files, and the schema of the columns that the model needs."""
    files = sorted(data.rglob("*.parquet")) if data.is_dir() else [data]
    if not files or not all(file.suffix == ".parquet" and file.exists() for file in files):
        remedy = "give Parquet, or name a file after --out"
        raise DataError(f"{data}: a folder of forecasts is made from a Parquet file or a folder of them", remedy=remedy)
    columns = reading(artifact, None, "error")
    covariates = [*columns["known"], *columns["past"], *columns["static"]]
    form = ds.ParquetFileFormat(read_options={"dictionary_columns": ["unique_id", *columns["static"]]})
    found = ds.dataset([str(file.absolute()) for file in files], format=form)
    check_columns(found.schema.names, covariates)
    if "unique_id" not in found.schema.names:
        raise DataError(f"{data}: there is no column unique_id", remedy="name a file after --out for a single series")
    return found.replace_schema(pa.schema([found.schema.field(name) for name in ("unique_id", "ds", "y", *covariates)]))


def _unfinished(job: Job, source: ds.Dataset, model: str) -> bool:
    """Whether there is something to do in the folder, which is made and marked as this job's."""
    files = [(file, Path(file).stat().st_size, Path(file).stat().st_mtime_ns) for file in source.files]
    asked = [files, model, repr(job.question), job.zone, job.duplicates, job.shards, job.together]
    note = json.dumps({"asked": hashlib.sha256(json.dumps(asked).encode()).hexdigest()})
    there = job.out / NOTE
    if there.exists() and there.read_text() == note:
        return job.work.exists()
    if job.out.exists() and any(job.out.iterdir()):
        raise DataError(f"{job.out} holds something else than these forecasts", remedy="empty it, or choose another")
    job.work.mkdir(parents=True)
    there.write_text(note)
    return True


def _pieces(source: ds.Dataset) -> Iterator[Piece]:
    """Row groups of about `PIECE` rows together."""
    number, rows, piece = 0, 0, list[ds.ParquetFileFragment]()
    for fragment in source.get_fragments():
        for group in fragment.split_by_row_group():
            piece.append(group)
            rows += group.count_rows()
            if rows >= PIECE:
                yield number, piece
                number, rows, piece = number + 1, 0, []
    if piece:
        yield number, piece


def _all(results: Iterator[None]) -> None:
    """Wait until all is done."""
    for _ in results:
        pass


def _deal(job: Job, piece: Piece) -> None:
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


def _forecast(job: Job, shard: int) -> None:
    """Forecast one shard; one without a series leaves no file."""
    out = job.out / f"part-{shard:06d}.parquet"
    if out.exists():
        return
    texts = [field.name for field in job.schema if pa.types.is_dictionary(field.type)]
    pieces = (pq.ParquetFile(file, read_dictionary=texts) for file in sorted(job.work.glob("*.parquet")))
    table = pa.concat_tables([piece.read_row_group(shard) for piece in pieces])
    if not table.num_rows:
        return
    answers = _answers(job, panel_from_frame(table, **reading(job.artifact, job.zone, job.duplicates)), shard)
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
