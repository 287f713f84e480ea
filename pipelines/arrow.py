"""Columns of Arrow, whose texts may stand in a dictionary."""

import pyarrow as pa


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of what a column holds, whether or not it stands in a dictionary."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds texts."""
    return bool(pa.types.is_string(plain(kind)) or pa.types.is_large_string(plain(kind)))


def encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """The distinct values of a column of all chunks, and which of them each row has."""
    column = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return column.unify_dictionaries().combine_chunks()
