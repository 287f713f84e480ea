"""Files to tables: CSV, plain or gzipped, a Parquet file, or a folder of them, on any file system that pyarrow has."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BufferedReader
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
from pyarrow import fs

from forecaster.errors import DataError
from pipelines.data.cutoff import Cutoff
from pipelines.data.table import check_columns
from pipelines.faults import FULL
from pipelines.sources.storage import file_system

ALIKE = "give each column one type in all files, and ds one time zone"
"""What to do about files of a folder that do not go together."""


class Columns(NamedTuple):
    """The columns that are wanted beside unique_id, ds and y."""

    categories: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    every: bool = False
    """Whether all that are there are wanted."""

    @property
    def texts(self) -> list[str]:
        """What is read as text, which comes as numbers into a list of distinct ones."""
        return ["unique_id", "ds", *self.categories]

    def of(self, names: list[str], place: str) -> list[str]:
        """Those of `names` that are wanted. Raises DataError where one is missing in `place`."""
        check_columns(names, [*self.categories, *self.others], place)
        return [name for name in names if self.every or name in {"y", *self.texts, *self.others}]


def read_files(path: str, columns: Columns, cutoff: Cutoff | None) -> pa.Table:
    """The wanted columns of the rows that are not later for sure. Raises DataError that names the file."""
    with naming(path):
        system, place = file_system(path)
        kind = system.get_file_info(place).type
        if kind == fs.FileType.NotFound:
            raise DataError(f"{path}: there is no such file or folder", remedy="check the path")
        if kind == fs.FileType.Directory:
            files = partitions(system, place)
            if not files:
                raise DataError(f"{path}: no file in this folder ends with .parquet", remedy="check the path")
            tables = [table for file in files for table in _parquet(system, file, columns, cutoff)]
            with naming(path, ALIKE):
                return _together(tables)
        if place.endswith(".parquet"):
            return _together(list(_parquet(system, place, columns, cutoff)))
        if place.endswith((".csv", ".csv.gz")):
            return _csv(system, place, columns, cutoff)
    raise DataError(f"{path}: the ending says the format", remedy="end it with .csv, .csv.gz or .parquet")


def partitions(system: fs.FileSystem, folder: str) -> list[str]:
    """The Parquet files in a folder and those in it, by name."""
    found = system.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    return sorted(one.path for one in found if one.is_file and one.path.endswith(".parquet"))


@contextmanager
def naming(file: str, remedy: str = "check that the file is whole, and UTF-8 if it is CSV") -> Iterator[None]:
    """Raises DataError that names the file, for what pyarrow raises on one that cannot be read or written."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise  # no fault of the file: told as every full disk is
        told = " ".join(str(error).split())
        raise DataError(f"{file}: {told}", remedy=remedy) from error


def _parquet(system: fs.FileSystem, file: str, columns: Columns, cutoff: Cutoff | None) -> Iterator[pa.Table]:
    """A file by itself, so that none that is later in all its rows has a say in the types of the others."""
    with naming(file):
        form = pyarrow.dataset.ParquetFileFormat(read_options={"dictionary_columns": columns.texts})
        data = pyarrow.dataset.dataset(file, filesystem=system, format=form)
        folders = {part.partition("=")[0]: pa.string() for part in file.split("/")[:-1] if "=" in part}
        if keys := {key: kind for key, kind in folders.items() if key not in data.schema.names}:
            hive = pyarrow.dataset.HivePartitioning(pa.schema(keys))
            data = pyarrow.dataset.dataset(file, filesystem=system, format=form, partitioning=hive)
        early = None
        if cutoff is not None and "ds" in data.schema.names:
            early = _within(cutoff.bounds(data.schema.field("ds").type))
        if early is not None and not any(one.subset(filter=early).row_groups for one in data.get_fragments()):
            return
        table = data.to_table(columns=columns.of(data.schema.names, file), filter=early)
        table = cutoff.roughly(table) if cutoff is not None else table
        if table.num_rows or cutoff is None:
            yield table


def _within(bounds: tuple[pa.Scalar | None, pa.Scalar] | None) -> pc.Expression | None:
    """What keeps the rows between; those without a time are kept for the reader to refuse."""
    if bounds is None:
        return None
    first, last = bounds
    kept = pc.field("ds") <= last if first is None else (pc.field("ds") > first) & (pc.field("ds") <= last)
    return kept | pc.field("ds").is_null()


def _together(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})


def _csv(system: fs.FileSystem, file: str, columns: Columns, cutoff: Cutoff | None) -> pa.Table:
    # By one thread: a process that ends while others of Arrow's are still ending can abort (exit code 134).
    read_csv = partial(pyarrow.csv.read_csv, read_options=pyarrow.csv.ReadOptions(use_threads=False))
    # No streaming reader for the head: its thread reads ahead, and after an early close from whatever file has the
    # descriptor by then, so that rows of the reading below can be gone.
    with system.open_input_stream(file) as stream:
        head = pa.BufferReader(BufferedReader(stream).readline())
    wanted = columns.of(read_csv(head).column_names, file)
    text = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(wanted, pa.string()), include_columns=wanted)
    options = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(columns.texts, pa.dictionary(pa.int32(), pa.string())), include_columns=wanted
    )
    with system.open_input_stream(file) as stream:
        if cutoff is None:
            return read_csv(stream, convert_options=options)
        early, written = cutoff.roughly(read_csv(stream, convert_options=text)), pa.BufferOutputStream()
    # The types of columns are told from the early rows alone: as if the file ended with them.
    pyarrow.csv.write_csv(early, written)
    return read_csv(pa.BufferReader(written.getvalue()), convert_options=options)
