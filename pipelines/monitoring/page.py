"""The report as one HTML file that needs nothing beside it."""

import base64
import io
import math
from html import escape

import pandas as pd
from matplotlib.figure import Figure

from pipelines.monitoring.pictures import pictures
from pipelines.monitoring.report import Report

_GROUPS = 20
"""Groups that are listed, those with the largest error."""
_STYLE = """
:root { color-scheme: light dark; --ink: #22313f; --quiet: #7b8794; --line: #e4e7eb; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --line: #3b4a58; --paper: #17212b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
.quiet { color: var(--quiet); }
.verdict { border-left: 5px solid #2b8a3e; padding: .5rem 1rem; margin: 1.5rem 0; }
.verdict.bad { border-color: #d9480f; } .verdict ul { margin: .3rem 0; padding-left: 1.2rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; }
dt { color: var(--quiet); font-size: .85rem; } dd { margin: 0; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
img { width: 100%; background: #fff; border-radius: 6px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .85rem; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { color: var(--quiet); font-weight: normal; }
"""


def page(report: Report) -> str:
    """HTML with its pictures inside."""
    which = "all versions" if report.version is None else f"version {report.version}"
    made = "".join(f'<img alt="{escape(title)}" src="{_data(one)}">' for title, one in pictures(report).items())
    worst = report.by_group.sort_values("error", ascending=False).head(_GROUPS)
    more = f", the {_GROUPS} largest errors of {len(report.by_group)}" if len(report.by_group) > _GROUPS else ""
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>{escape(report.name)}</title><style>{_STYLE}</style>
<h1>{escape(report.name)}</h1>
<div class="quiet">{escape(which)}, {report.at:%Y-%m-%d %H:%M} UTC, {_days(report)}</div>
{_verdict(report)}
<dl>{"".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in _tiles(report).items())}</dl>
<h2>Pictures</h2>{made}
<h2>By group{more}</h2>{_table(worst)}
<h2>By step ahead</h2>{_table(report.by_step)}
<p class="quiet">Errors are in units of the in-sample error of seasonal naive (MASE). Bounds are exact at 95 %; but
by day, forecasts that overlap count as one.</p></html>"""


def _verdict(report: Report) -> str:
    if not report.breaches:
        return f'<div class="verdict">{escape(report.verdict)}</div>'
    items = "".join(f"<li>{escape(one.sentence)}</li>" for one in report.breaches)
    return f'<div class="verdict bad"><strong>{len(report.breaches)} breached</strong><ul>{items}</ul></div>'


def _days(report: Report) -> str:
    days = report.by_day["day"]
    return f"{_text(days.iloc[0])} to {_text(days.iloc[-1])}" if len(days) else "no day"


def _tiles(report: Report) -> dict[str, str]:
    one = report.overall
    return {
        "forecasts": _text(one["forecasts"]),
        "error": _text(one["error"]),
        "promised": _text(one["promised_error"]),
        "seasonal naive": _text(one["naive_error"]),
        "bias": _text(one["bias"]),
        "coverage of 80 %": _percent(one["coverage"]),
        "have not come": _percent(one["missing"]),
        "drift, deviations": _text(report.drift.distance),
    }


def _table(table: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(name)).replace('_', ' ')}</th>" for name in table)
    rows = ("".join(f"<td>{escape(_text(value))}</td>" for value in row) for row in table.itertuples(index=False))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _text(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}"
    if not isinstance(value, float):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value.is_integer() and value > 9 else f"{value:.3f}"


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1%}"


def _data(figure: Figure) -> str:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(drawn.getvalue()).decode()
