"""An error says where and what to do, also after it has crossed a process."""

import copy

import pytest

from forecaster.errors import DataError


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (DataError("no rows"), "no rows"),
        (DataError("no rows", remedy="give one"), "no rows; give one"),
        (DataError("two rows", place="ds 3"), "ds 3: two rows"),
        (
            DataError("two rows", series="a", place="ds 3", remedy="remove one"),
            "series 'a', ds 3: two rows; remove one",
        ),
        (DataError("empty", series=""), "series '': empty"),
    ],
)
def test_the_text_names_series_place_and_remedy(error: DataError, text: str) -> None:
    assert str(error) == text
    again = copy.copy(error)
    assert (str(again), vars(again)) == (text, vars(error))
