"""A backfill, asked of a running Dagster by its GraphQL."""

from typing import Any

import requests

from forecaster.errors import DataError
from pipelines.faults import UnavailableError

LAUNCH = """mutation ($chosen: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $chosen) {
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on Error { message }
  }
}"""
SECONDS = 60
"""For which an answer is waited for."""


def backfill(url: str, job: str, first: str, last: str) -> str:
    """Ask for a run of each date from first to last; returns what Dagster calls it.

    Raises DataError where Dagster knows no such job or date, UnavailableError where it does not answer.
    """
    dates = {"assetKey": {"path": [job]}, "partitions": {"range": {"start": first, "end": last}}}
    answer = ask(url, LAUNCH, {"chosen": {"partitionsByAssets": [dates]}})["launchPartitionBackfill"]
    if (number := answer.get("backfillId")) is None:
        problem = str(answer.get("message", answer)).strip().splitlines()[0]
        raise DataError(problem, place=f"{job} {first} to {last}", remedy="see `forecaster schedule jobs`")
    return str(number)


def ask(url: str, query: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The data of an answer. Raises as `backfill` does."""
    try:
        response = requests.post(f"{url}/graphql", json={"query": query, "variables": variables}, timeout=SECONDS)
    except requests.RequestException as error:
        raise UnavailableError(f"Dagster at {url} does not answer ({type(error).__name__})") from None
    try:
        answer: dict[str, Any] = response.json()
    except requests.JSONDecodeError:
        raise DataError(f"what answers with status {response.status_code} is no Dagster", place=url) from None
    if errors := answer.get("errors"):
        raise DataError(errors[0]["message"], place=url)
    data: dict[str, Any] = answer["data"]
    return data
