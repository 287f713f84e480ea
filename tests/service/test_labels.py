"""Series of labels over HTTP: probabilities, paths, and what was never seen."""

from typing import Any

import pytest

from tests.service.examples import Client, request

NAMES = ["busy", "done", "idle"]


def asked(*target: object, shop: str = "north", horizon: int = 4, **fields: object) -> dict[str, Any]:
    return request({"id": "a", "target": list(target), "static": {"shop": shop}}, horizon=horizon, **fields)


def test_probabilities_and_the_likeliest_label(states: Client) -> None:
    answer = states.forecast(asked("idle", "busy", None, "idle"))
    (forecast,) = answer["forecasts"]
    assert list(forecast) == ["id", "start", "freq", "label", "probabilities"]
    assert list(forecast["probabilities"]) == NAMES
    steps = list(zip(*forecast["probabilities"].values(), strict=True))
    assert [sum(step) for step in steps] == pytest.approx([1.0] * 4)
    assert forecast["label"] == [NAMES[step.index(max(step))] for step in steps]
    assert forecast["start"] == 4
    assert answer["warnings"] == []


def test_paths_end_with_the_end_and_are_reproducible(states: Client) -> None:
    body = asked("idle", "busy", horizon=30, paths=50)
    (forecast,) = states.forecast(body)["forecasts"]
    assert len(forecast["paths"]) == 50
    for path in forecast["paths"]:
        assert "done" not in path[:-1]
        assert path[-1] == "done" or len(path) == 30
    assert states.forecast(body)["forecasts"][0] == forecast
    (cold,) = states.forecast(body | {"temperature": 0})["forecasts"]
    assert len(set(map(tuple, cold["paths"]))) == 1
    assert cold["paths"][0][0] == cold["label"][0]
    assert cold["probabilities"] == forecast["probabilities"]


def test_after_the_end_nothing_is_likely(states: Client) -> None:
    (forecast,) = states.forecast(asked("idle", "done", paths=2))["forecasts"]
    assert forecast["probabilities"]["done"] == [1.0] * 4
    assert forecast["paths"] == [["done"]] * 2


def test_what_was_never_seen_is_said(states: Client) -> None:
    answer = states.forecast(asked("idle", "lost", shop="east"))
    assert answer["warnings"] == [
        "series 'a', ds 1: the label 'lost' was not there in training; once read as any label, equally likely",
        "series 'a', shop: the category 'east' was not there in training; in 1 series read as unknown",
    ]
    known = states.forecast(asked("idle", None, shop="east"))
    assert known["forecasts"] == answer["forecasts"]


@pytest.mark.parametrize(
    ("target", "message", "place"),
    [
        ([None, 3], "3.0 where the model reads labels (busy, done, idle)", "target[1]"),
        (["idle", 3], "3.0 where the model reads labels (busy, done, idle)", "target[1]"),
        (["idle", ""], "Input should be a valid number", "target[1]"),
        ([None, None], "nothing but null", "target"),
    ],
)
def test_no_labels_are_refused(states: Client, target: list[object], message: str, place: str) -> None:
    response = states("POST", "/forecast", asked(*target))
    assert response.status_code == 422
    error = response.json()["error"]
    assert (error["message"], error["series"], error["place"]) == (message, "a", place)


def test_an_answer_holds_a_number_for_each_label_and_path(states: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.request.MAX_NUMBERS", 40)
    levels = [level / 100 for level in range(1, 100)]  # which a model of labels is not asked for
    states.forecast(asked("idle", horizon=10, quantiles=levels))
    for horizon, paths in ((11, 0), (10, 1)):
        response = states("POST", "/forecast", asked("idle", horizon=horizon, quantiles=[0.5], paths=paths))
        assert response.status_code == 422
        assert response.json()["error"]["place"] == "horizon"
        assert "are more than 40" in response.json()["error"]["message"]


def test_a_model_of_numbers_refuses_labels(steps: Client) -> None:
    response = steps("POST", "/forecast", request({"id": "a", "target": [None, "idle"]}))
    assert response.status_code == 422
    assert response.json()["error"] == {
        "message": "'idle' where the model reads numbers",
        "series": "a",
        "place": "target[1]",
        "remedy": "give numbers",
    }


def test_the_documents_tell_of_labels(states: Client) -> None:
    assert states("GET", "/").json()["labels"] == NAMES
    document = states("GET", "/openapi.json").json()
    example = document["paths"]["/forecast"]["post"]["requestBody"]["content"]["application/json"]["example"]
    (forecast,) = states.forecast(example)["forecasts"]
    assert list(forecast["probabilities"]) == NAMES


def test_an_unseen_category_of_a_model_of_numbers_is_said(rich: Client) -> None:
    fields = {"known": {"price": [1.0] * 15}, "past": {"rain": [1.0] * 12}, "static": {"shop": "east"}}
    one = {"id": "a", "start": "2024-01-01", "target": [1.0] * 12, **fields}
    assert rich.forecast(request(one))["warnings"] == [
        "series 'a', shop: the category 'east' was not there in training; in 1 series read as unknown"
    ]
