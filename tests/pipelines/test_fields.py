"""What settings and job files may say."""

import pytest
from pydantic import TypeAdapter, ValidationError

from forecaster.errors import DataError
from pipelines.fields import Duration, expand


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90.0), ("90s", 90.0), ("1.5m", 90.0), (" 2h ", 7200.0), ("2d", 172_800.0), ("1e3", 1000.0), (3, 3.0)],
)
def test_durations(text: object, seconds: float) -> None:
    assert TypeAdapter(Duration).validate_python(text) == seconds


@pytest.mark.parametrize("text", ["inf", "nan", "soon", "5w", float("inf")])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


def test_variables_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "a$b")
    assert expand("https://host/${SHOP_TOKEN}?x=$SHOP_TOKEN", "url") == "https://host/a$b?x=$SHOP_TOKEN"
    with pytest.raises(DataError, match="the environment has no variable NOT_THERE_AT_ALL, which url names; set it"):
        expand("${NOT_THERE_AT_ALL}", "url")
