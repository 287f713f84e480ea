"""The tables in the docs are what the results say, and a newcomer is told what a benchmark needs."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import peers, readme
from benchmarks.accuracy import earlier, others, score
from benchmarks.published import Dataset
from pipelines.data.doors import panel_from_series

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("file", "name", "made"),
    [
        ("README.md", "accuracy", readme.summary),
        ("docs/tables.md", "tables", readme.sections),
        ("docs/accuracy.md", "unseen", readme.unseen),
        ("docs/accuracy.md", "streaming", readme.streaming),
    ],
)
def test_a_table_is_what_the_results_say(file: str, name: str, made: Callable[[], str]) -> None:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", (ROOT / file).read_text(), flags=re.DOTALL)
    assert found is not None
    assert found[1] == made()


def test_rows_that_are_not_run_again_stay_with_their_commit() -> None:
    first = {"commit": "a", "beside": {"naive": {"mase": 2.0}, "AutoETS, 9 s": {"mase": 1.0}}, "earlier": {}}
    kept = earlier(first, {"naive": {"mase": 2.0}})
    assert kept == {"a": {"AutoETS, 9 s": {"mase": 1.0}}}
    second = {"commit": "b", "beside": {"naive": {"mase": 2.0}}, "earlier": kept}
    assert earlier(second, {"naive": {"mase": 2.0}}) == kept
    assert list(others(second)) == ["naive (this run)", "AutoETS, 9 s (run of a)"]
    assert earlier(second, {"naive": {"mase": 2.0}, "AutoETS, 7 s": {"mase": 1.0}}) == {}


def test_of_a_point_only_the_point_is_scored() -> None:
    panel = panel_from_series(["a"], [0], [[1.0, 2.0, 4.0, 3.0]], "step")
    points = dict(peers.simple(panel, 2, 1))
    assert list(points) == ["naive"]
    figures = score(Dataset("some", 2, 1, {}), panel, points["naive"] + 2, points["naive"])
    assert figures.keys() == {"smape", "mase", "mae"}
    assert figures["mae"] == 2


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.accuracy", "m3_yearly", "--data", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--data" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_statsforecast_its_rows_are_said_to_be_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    panel = panel_from_series(["a"], [0], [[1.0, 2.0]], "step")
    assert list(peers.statsforecast(panel, 1, 1)) == []
    assert "pip install -e '.[benchmarks]'" in capsys.readouterr().err
