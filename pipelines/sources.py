"""Files to panels: CSV, plain or gzipped, a Parquet file, or a folder of Parquet files."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset

from forecaster.errors import DataError
from pipelines.panel import Panel, panel_from_frame
from pipelines.table import check_columns


def read(
    path: str | Path,
    *,
    frequency: str | None = None,
    known: Sequence[str] = (),
    past: Sequence[str] = (),
    static: Sequence[str] = (),
    zone: str | None = None,
    duplicates: str = "error",
    whole: str | None = None,
) -> Panel:
    """Read a table in the long form: see `panel_from_frame`, which tells what the columns and options mean.

    Raises DataError that names the file, and where it can the series, the time and the remedy.
    """
    path = Path(path)
    try:
        table = _read(path, ["unique_id", "ds", *static], ["y", *known, *past, *([whole] if whole else [])])
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file or folder", remedy="check the path") from error
    except (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        pa.ArrowKeyError,
        OSError,
        UnicodeDecodeError,
    ) as error:
        raise DataError(f"{path}: {error}", remedy="check that the file is whole, and UTF-8 if it is CSV") from error
    return panel_from_frame(
        table,
        frequency=frequency,
        known=known,
        past=past,
        static=static,
        zone=zone,
        duplicates=duplicates,
        whole=whole,
    )


def _read(path: Path, texts: list[str], numbers: list[str]) -> pa.Table:
    """The columns that are there of those asked for; `texts` come as numbers into a list of distinct ones."""
    wanted = [*texts, *numbers]
    if path.is_dir() or path.suffix == ".parquet":
        files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        if not files:
            raise DataError(f"{path}: no file in this folder ends with .parquet", remedy="check the path")
        parquet = pyarrow.dataset.ParquetFileFormat(read_options={"dictionary_columns": texts})
        data = pyarrow.dataset.dataset([str(file) for file in files], format=parquet)
        _check(data.schema.names, wanted)
        return data.to_table(columns=[name for name in data.schema.names if name in wanted])
    if path.name.endswith((".csv", ".csv.gz")):
        with pyarrow.csv.open_csv(str(path)) as head:
            names = head.schema.names
        _check(names, wanted)
        options = pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(texts, pa.dictionary(pa.int32(), pa.string())),
            include_columns=[name for name in names if name in wanted],
        )
        return pyarrow.csv.read_csv(str(path), convert_options=options)
    raise DataError(f"{path}: the ending says the format", remedy="end it with .csv, .csv.gz or .parquet")


def _check(names: list[str], wanted: list[str]) -> None:
    check_columns(names, [name for name in wanted if name not in ("unique_id", "ds", "y")])
