"""Forecasts of Parquet files that are too large for memory, shard by shard, by an engine."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from forecaster.artifact import Artifact
from forecaster.durable import replace
from forecaster.errors import DataError
from pipelines.champion.shards import Piece, Shards, deal, forecast
from pipelines.data.table import check_columns
from pipelines.forecasting.ask import Question, check_names, reading
from pipelines.registry.fetch import Fetched
from pipelines.runs.engine import Engine
from pipelines.sources.files import ALIKE, naming
from pipelines.sources.sink import spare

PIECE = 2**22
"""Rows that are dealt out at a time, or one row group where it is larger."""
SHARD = 2**21
"""Rows of a typical shard."""
VALUES = 2**24
"""Forecast values that a shard holds at a time."""
NOTE = "_forecast.json"
"""What was asked."""


def score_shards(
    champion: Fetched,
    data: str | Path,
    horizon: int | None,
    out: str | Path,
    levels: tuple[float, ...],
    engine: Engine,
    *,
    paths: int = 0,
    temperature: float = 1.0,
    seed: int = 0,
    zone: str | None = None,
    duplicates: str = "error",
) -> int:
    """Write the forecasts of every series of a Parquet file or folder into the folder `out`; returns the rows.

    Stopped at any moment, the same call goes on. Engines on several machines need `data` and `out` on all of them.
    Raises DataError where `out` holds something else.
    """
    check_names(levels)
    if "://" in str(out):
        remedy = "write shards here, or one file there, without / at its end"
        raise DataError(f"{out} is no folder of this machine", remedy=remedy)
    spare(out, data)
    artifact = champion.artifact
    question = Question(horizon or artifact.spec.task.horizon, levels, paths, temperature, seed)
    source, out = _dataset(Path(data), artifact), Path(out)
    rows = sum(fragment.count_rows() for fragment in source.get_fragments())
    shards = Shards(
        artifact,
        question,
        zone,
        duplicates,
        out.absolute(),
        source.schema,
        count=max(1, -(-rows // SHARD)),
        together=max(1, VALUES // (question.horizon * (len(levels) + paths))),
        last=_last(source) if not artifact.spec.data.known else None,
    )
    if _unfinished(shards, source, champion.digest):
        _all(engine.map(partial(deal, shards), _pieces(source)))
        _all(engine.map(partial(forecast, shards), range(shards.count)))
        shutil.rmtree(shards.work)
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
    with naming(str(data)):
        opened = partial(ds.dataset, [str(file.absolute()) for file in files], format=form)
        schemas = [fragment.physical_schema for fragment in opened().get_fragments()]
    with naming(str(data), ALIKE):
        whole = pa.unify_schemas(schemas, promote_options="permissive")  # files may differ in the type of a number
    check_columns(whole.names, covariates)
    if "unique_id" not in whole.names:
        raise DataError(f"{data}: there is no column unique_id", remedy="name a file after --out for a single series")
    return opened(schema=pa.schema([whole.field(name) for name in ("unique_id", "ds", "y", *covariates)]))


def _last(source: ds.Dataset) -> str | None:
    """The last time with a y, of all series, as text; None where there is none."""
    observed = source.scanner(["ds"], filter=~ds.field("y").is_null(nan_is_null=True))
    latest = [pc.max(batch["ds"]).as_py() for batch in observed.to_batches() if batch.num_rows]
    last = max(latest, default=None)
    return last.isoformat() if isinstance(last, date) else None if last is None else str(last)


def _unfinished(shards: Shards, source: ds.Dataset, model: str) -> bool:
    """Whether there is something to do in the folder, which is made and marked with what these shards are asked."""
    files = [(file, Path(file).stat().st_size, Path(file).stat().st_mtime_ns) for file in source.files]
    asked = [files, model, repr(shards.question), shards.zone, shards.duplicates, shards.count, shards.together]
    note = json.dumps({"asked": hashlib.sha256(json.dumps(asked).encode()).hexdigest()})
    there = shards.out / NOTE
    if there.exists() and there.read_text() == note:
        return shards.work.exists()
    if shards.out.exists() and any(file != shards.work for file in shards.out.iterdir()):
        raise DataError(f"{shards.out} holds something else than these forecasts", remedy="empty it, or choose another")
    shards.work.mkdir(parents=True, exist_ok=True)
    replace(there, note.encode())
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
