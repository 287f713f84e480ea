"""Who is told: a webhook, and Prometheus by way of a file."""

import logging
import math
from pathlib import Path
from urllib.parse import urlsplit

import requests
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from forecaster.errors import DataError
from pipelines.fields import expand
from pipelines.monitoring.report import Report

TOLD = {
    "forecasts": "Forecast steps that have met their actual value.",
    "error": "Mean absolute error of the median, in units of the in-sample error of seasonal naive (MASE).",
    "promised_error": "What the backtest promised of it.",
    "naive_error": "The error of seasonal naive from the same origins.",
    "quantile_loss": "Scaled quantile loss over the levels 0.1, 0.5 and 0.9.",
    "bias": "Mean of forecast less actual, in the same units.",
    "promised_bias": "What the backtest had of it.",
    "promised_coverage": "What the backtest promised of the coverage.",
    "coverage": "Share of actual values inside their 80 % interval.",
    "coverage_low": "Lower exact 95 % bound of the coverage.",
    "coverage_high": "Upper exact 95 % bound of the coverage.",
    "due": "Forecast steps whose time has come.",
    "missing": "Share of those without an actual value.",
}
"""What each figure of all forecasts is."""
SECONDS = 5.0
"""What a webhook may take."""

log = logging.getLogger(__name__)


def address(webhook: str) -> str:
    """The URL with the variables of the environment in it. Raises DataError, which does not show them."""
    url = expand(webhook, "the webhook")
    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError("the webhook is no http or https URL", remedy="such as https://host/path/${TOKEN}")
    return url


def call(url: str, report: Report) -> bool:
    """Tell a webhook of the breaches, as JSON with a `text` that chats show; whether it took them. Never raises."""
    said = {
        "text": "\n".join([f"{report.name}: {len(report.breaches)} breached", *(b.sentence for b in report.breaches)]),
        "name": report.name,
        "version": report.version,
        "at": report.at.isoformat(timespec="seconds"),
        "breaches": [vars(breach) for breach in report.breaches],
        "overall": {name: None if math.isnan(value) else value for name, value in report.overall.items()},
    }
    try:
        requests.post(url, json=said, timeout=SECONDS).raise_for_status()
    except requests.RequestException as error:  # its text may show the URL, and that a secret
        log.error("the webhook did not take the breaches of %s: %s", report.name, type(error).__name__)
        return False
    return True


def expose(report: Report, file: Path) -> None:
    """Write the figures as Prometheus metrics, complete or not at all."""
    registry = CollectorRegistry()

    def gauge(name: str, value: float, told: str) -> None:
        one = Gauge(f"forecaster_monitor_{name}", told, ["name"], registry=registry)
        one.labels(report.name).set(value)

    for name, value in report.overall.items():
        gauge(name, value, TOLD[name])
    gauge("drift", report.drift.distance, "Deviations by which values have moved since training.")
    gauge("breaches", len(report.breaches), "Rules that are breached.")
    gauge("timestamp_seconds", report.at.timestamp(), "When this was measured.")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(file), registry)
