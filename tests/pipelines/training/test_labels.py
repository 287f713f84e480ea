"""Series of labels from a table to MLflow, a champion, a file and an answer over HTTP."""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import log_loss
from typer.testing import CliRunner

from forecaster.artifact import load_artifact
from forecaster.errors import DataError
from forecaster.manifest import Category, DataSpec
from pipelines.batches.covariates import describe, encode
from pipelines.cli.app import app
from pipelines.cli.demo import sample
from pipelines.data.doors import panel_from_frame, panel_from_series
from pipelines.data.panel import Panel
from pipelines.data.vocabulary import translate, vocabulary, words
from pipelines.evaluation.backtest_labels import LabelBacktest
from pipelines.evaluation.figures import chances
from pipelines.forecasting.doubts import unseen
from pipelines.recipes.recipe import Recipe, choose, recipes
from pipelines.registry.fetch import resolve
from pipelines.registry.promotion import history
from pipelines.training import automatic
from service.forecast import answer
from service.source import Champion
from tests.pipelines.training.test_job import logged

QUICK = "summary: x\nmodel: {kind: label_recurrent, core: {cell: lstm, width: 16, layers: 1}}\nfit: {updates: 75}\n"
NAMES = ["busy", "normal", "quiet"]
nan = np.nan


def streets(rows: int = 400) -> pd.DataFrame:
    """The pedestrians of two streets, counted as quiet (below 200 an hour), normal (below 800) and busy."""
    frame = pd.read_csv(sample()).groupby("unique_id").tail(rows + 600).groupby("unique_id").head(rows)
    frame = frame[frame["unique_id"].isin(sorted(frame["unique_id"].unique())[:2])]
    words = np.array(["quiet", "normal", "busy"])[np.digitize(frame["y"], [200, 800])]
    return frame.assign(y=pd.Series(words, frame.index, dtype=object).where(frame["y"].notna(), None))


def panel(*lists: list[str | float | None], **fields: object) -> Panel:
    ids = [f"s{i}" for i in range(len(lists))]
    return panel_from_series(ids, [0] * len(ids), lists, "step", **fields)  # type: ignore[arg-type]


def forecaster(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_from_a_table_to_an_answer(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    known = recipes() | {"quick": Recipe.model_validate(yaml.safe_load(QUICK))}
    monkeypatch.setattr("pipelines.recipes.recipe.recipes", lambda: known)
    monkeypatch.setattr("pipelines.training.automatic.LABELS", ("label_frequencies", "label_chain", "quick"))
    frame, data, out = streets(), home / "streets.csv", home / "out.csv"
    frame.to_csv(data, index=False)
    zone = ["--zone", "Australia/Melbourne"]
    printed = forecaster("train", str(data), "--horizon", "12", "--budget", "60s", *zone)
    assert "champion: forecaster version 1 (quick)" in printed
    assert history("forecaster")[0].metric == "log_loss"

    client, runs = logged(home)
    losses = {name: runs[name].data.metrics["log_loss"] for name in ("label_frequencies", "label_chain", "quick")}
    assert losses["quick"] < 0.7 * min(losses["label_frequencies"], losses["label_chain"])
    assert 0.6 < runs["quick"].data.metrics["accuracy"] < 1
    pictures = {file.path for file in client.list_artifacts(runs["quick"].info.run_id, "forecasts")}
    assert pictures == {"forecasts/best.png", "forecasts/median.png", "forecasts/worst.png"}
    assert "log_loss_by_step.png" in {file.path for file in client.list_artifacts(runs["train"].info.run_id)}

    forecaster("forecast", str(data), "--horizon", "30", "--out", str(out), "--paths", "3", *zone)
    written = pd.read_csv(out)
    columns = ["unique_id", "ds", "label", *(f"p.{name}" for name in NAMES), "path.1", "path.2", "path.3"]
    assert list(written.columns) == columns
    assert len(written) == 2 * 30
    probabilities = written.filter(like="p.").to_numpy()
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert written["label"].tolist() == [NAMES[k] for k in probabilities.argmax(1)]
    assert set(written["path.1"]) <= set(NAMES)
    scores = forecaster("backtest", str(data), "--horizon", "12", *zone)
    assert scores.split()[::2] == ["log_loss", "accuracy"]

    strange = frame.assign(y=frame["y"].replace("busy", "closed"))
    strange.to_csv(data, index=False)
    with caplog.at_level(logging.WARNING):
        forecaster("forecast", str(data), "--horizon", "2", "--out", str(out), *zone)
    assert "the label 'closed' was not there in training" in caplog.text
    frame.assign(y=1.5).to_csv(data, index=False)
    refused = CliRunner().invoke(app, ["forecast", str(data), "--horizon", "2", "--out", str(out), *zone])
    assert refused.exit_code == 2
    assert "y is 1.5 and the model reads labels (busy, normal, quiet)" in refused.stderr

    live = Champion("forecaster", "1", load_artifact(resolve("forecaster").folder))
    target = frame[frame["unique_id"] == frame["unique_id"].iloc[0]]["y"].tolist()
    request = {"series": [{"id": "a", "target": target[:100]}], "horizon": 3}
    said = json.loads(answer(live, json.dumps(request).encode()))
    assert list(said["forecasts"][0]["probabilities"]) == NAMES
    assert said["warnings"] == []


def test_words_are_codes_and_back() -> None:
    known, codes = vocabulary(["b", None, "a", "b"])
    assert known == ("a", "b")
    np.testing.assert_array_equal(codes, [1, nan, 0, 1])
    assert words(codes, known).tolist() == ["b", None, "a", "b"]
    np.testing.assert_array_equal(translate(codes, known, ("b", "c")), [0, nan, 2, 0])


def test_a_table_and_lists_of_labels_are_one_panel() -> None:
    frame = pd.DataFrame({"ds": [0, 1, 3], "y": [" idle", "busy", "idle"]})
    one, other = panel_from_frame(frame), panel(["idle", "busy", None, "idle"])
    assert one.labels == other.labels == ("busy", "idle")
    for made in (one, other):
        np.testing.assert_array_equal(made.values, [1, 0, nan, 1])
        assert made.frame()["y"].tolist() == ["idle", "busy", None, "idle"]
        assert made.digest != panel([1, 0, None, 1]).digest
    categories = panel_from_frame(frame.assign(y=frame["y"].astype("category")))
    assert categories.digest == one.digest


@pytest.mark.parametrize("y", [["1", "2", "3"], ["", "NA", None], [True, False, True], ["1e5", "-.5", "7."]])
def test_numbers_and_nothing_are_no_labels(y: list[object]) -> None:
    assert panel_from_frame(pd.DataFrame({"ds": [0, 1, 2], "y": y})).labels == ()


@pytest.mark.parametrize(
    "y",
    [
        *(["busy", "idle", "100%"], ["1.2.3", "1.2.4"], ["10-19", "20-29", "30+"], ["31.12.2024", "01.01.2025"]),
        *(["-", "%", "$"], ["12:30", "1/2", "A1"], ["192.168.0.1", "10.0.0.1"]),
    ],
)
def test_what_has_digits_in_it_may_be_a_label(y: list[str]) -> None:
    assert panel_from_frame(pd.DataFrame({"ds": range(len(y)), "y": y})).labels == tuple(sorted(y))


def test_labels_and_numbers_together_are_refused() -> None:
    with pytest.raises(DataError, match=r"series 'series', ds 1: y is 'idle'; give finite numbers, or in y labels"):
        panel_from_frame(pd.DataFrame({"ds": [0, 1, 2], "y": ["1", "idle", "2"]}))
    with pytest.raises(DataError, match=r"series 's1', target\[1\]: 'idle' is no finite number"):
        panel([1, 2], [3, "idle"])


def test_doubled_labels_have_no_mean() -> None:
    frame = pd.DataFrame({"ds": [0, 0, 1], "y": ["b", "a", "b"]})
    assert panel_from_frame(frame, duplicates="last").frame()["y"].tolist() == ["a", "b"]
    with pytest.raises(DataError, match="labels have no mean; pass --duplicates first or last"):
        panel_from_frame(frame, duplicates="mean")


def test_what_was_never_seen_is_said_and_read_as_unknown() -> None:
    data = DataSpec(frequency="step", labels=("idle", "busy"), static=(Category(name="shop", values=("a",)),))
    here = panel(["busy", "off", "off"], ["idle"], static=[{"shop": "a"}, {"shop": "z"}], static_names=["shop"])
    encoded = encode(here, data, 0)
    np.testing.assert_array_equal(encoded.target, [1, 2, 2, 0])
    assert encoded.static.tolist() == [[1], [0]]
    assert tuple(unseen(here, data)) == (
        "series 's0', ds 1: the label 'off' was not there in training; 2 times read as any label, equally likely",
        "series 's1', shop: the category 'z' was not there in training; in 1 series read as unknown",
    )


def test_many_that_were_never_seen_are_counted_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"n{i:03d}" for i in range(500)]
    data = DataSpec(frequency="step", labels=("idle",), static=(Category(name="shop", values=("a",)),))
    shops = [{"shop": name} for name in ("a", *names)]
    short: list[list[str | float | None]] = [[name] for name in names]
    here = panel(["idle", None, *names, *names], *short, static=shops, static_names=["shop"])
    passes = []

    def counted(values: np.ndarray) -> np.ndarray:
        passes.append(1)
        return values.nonzero()[0]

    monkeypatch.setattr("pipelines.data.labels.np.flatnonzero", counted)
    told = tuple(unseen(here, data))
    assert len(passes) <= 1
    assert told == (
        *(
            f"series 's0', ds {2 + i}: the label {name!r} was not there in training; 3 times read as any label,"
            " equally likely"
            for i, name in enumerate(names)
        ),
        *(
            f"series 's{1 + i}', shop: the category {name!r} was not there in training; in 1 series read as unknown"
            for i, name in enumerate(names)
        ),
    )


def test_numbers_and_labels_do_not_stand_for_each_other() -> None:
    with pytest.raises(DataError, match=r"series 's0', ds 1: y is 'on' and the model reads numbers; give numbers"):
        encode(panel([None, "on"]), describe(panel([1.0])), 0)
    with pytest.raises(DataError, match=r"series 's1', ds 0: y is 7 and the model reads labels \(a, b\)"):
        encode(panel([None], [7]), describe(panel(["a", "b"])), 0)
    assert np.isnan(encode(panel([None]), describe(panel(["a"])), 0).target).all()


def test_the_end_is_a_label_that_nothing_follows() -> None:
    assert describe(panel(["a", "end"], ["b", "a"]), "end").end == "end"
    with pytest.raises(DataError, match="series 's1', ds 0: something follows 'end'"):
        describe(panel(["a", "end"], ["end", "a"]), "end")
    with pytest.raises(DataError, match="no series ends with 'stop'; the labels are a, end: name one"):
        describe(panel(["a", "end"]), "stop")
    with pytest.raises(DataError, match="no series ends with 'stop'; there are only numbers"):
        describe(panel([1.0]), "stop")


def test_free_text_is_refused() -> None:
    with pytest.raises(DataError, match="1001 different labels, and at most 1000"):
        describe(panel([f"text {i}" for i in range(1001)]))


def test_recipes_suit_the_data() -> None:
    assert automatic.recipes(panel(["a", "b"])) == ("label_frequencies", "label_chain", "labels")
    assert "state_space" in automatic.recipes(panel([1.0]))
    usual = ("seasonal_naive", "naive", "lag_regression", "gru", "lstm")
    assert automatic.recipes(panel([1.0] * 500)) == (*usual, "lstm_linear")
    assert list(choose(("labels_gru",), "labels")) == ["labels_gru"]
    with pytest.raises(DataError, match="'gru' is for numbers and the target is labels; choose from label_chain"):
        choose(("gru",), "labels")
    with pytest.raises(DataError, match="'labels' is for labels and the target is numbers; choose from ar"):
        choose(("labels",))


def test_scores_against_sklearn() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(3), (4, 5))
    actual = random.integers(0, 3, (4, 5)).astype(float)
    test = LabelBacktest(probabilities, actual, ("a", "b", "c"))
    expected = log_loss(actual.ravel(), probabilities.reshape(-1, 3), labels=[0, 1, 2])
    assert test.loss == pytest.approx(expected)
    assert test.metrics()["accuracy"] == (probabilities.argmax(-1) == actual).mean()
    for scores in (test.by_step(), test.by_row()):
        assert np.mean(scores["log_loss"]) == pytest.approx(expected)
    half = actual.copy()
    half[2:], half[0, 0] = nan, 3
    known = log_loss(actual[:2].ravel()[1:], probabilities[:2].reshape(-1, 3)[1:], labels=[0, 1, 2])
    assert LabelBacktest(probabilities, half, ("a", "b", "c")).loss == pytest.approx(known)
    sure = LabelBacktest(np.array([[[1.0, 0.0]]]), np.array([[1.0]]), ("a", "b"))
    assert sure.loss == pytest.approx(-np.log(1e-6))


@pytest.mark.parametrize("horizon", [1, 5])
def test_figure_of_probabilities(horizon: int) -> None:
    history, actual = np.array([0.0, nan, 1.0]), np.full(horizon, 2.0)
    probabilities = np.full((horizon, 2), 0.5)
    figure = chances(history, actual, probabilities, ("a", "b"), np.arange(3 + horizon), "title")
    axes = figure.axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0, nan, 1, *[nan] * horizon])
    assert (np.asarray(axes.collections[0].get_array()) == 0.5).all()
