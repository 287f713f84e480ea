"""The accuracy table of the README, made from `benchmarks/results`: `python -m benchmarks.readme`."""

import json
import re
from pathlib import Path

from benchmarks.accuracy import RESULTS, columns, ranked
from benchmarks.published import COLUMNS, DATASETS

README = Path(__file__).parents[1] / "README.md"
BETWEEN = re.compile(r"(<!-- accuracy -->\n).*?(<!-- /accuracy -->)", re.DOTALL)
SHOWN = ("smape", "mase", "owa", "weighted_quantile_loss", "msis")
POINT = ("smape", "mase", "owa", "mae", "mse")
"""The scores of methods that were run beside ours for their point alone."""


def sections() -> str:
    """One table for each data set that has a result, ours among what others published and what was run beside it."""
    return "\n".join(section(name) for name in DATASETS if (RESULTS / f"{name}.json").exists())


def section(name: str) -> str:
    """The table of one data set, under the command that makes it."""
    dataset, result = DATASETS[name], json.loads((RESULTS / f"{name}.json").read_text())
    ours, published = result["metrics"], {metric for row in dataset.rows.values() for metric in row}
    wanted = {*published, *SHOWN, dataset.decides}
    beside = {method: {m: row[m] for m in POINT if m in row} for method, row in result.get("beside", {}).items()}
    rows = dataset.rows | beside | {"**`forecaster train`**": ours}
    rows = {method: {m: x for m, x in row.items() if m in wanted} for method, row in rows.items()}
    shown = columns(rows)
    lines = [
        "| " + " | ".join(["method", *(COLUMNS[metric] for metric in shown)]) + " |",
        "| " + " | ".join(["---"] * (1 + len(shown))) + " |",
    ]
    for method in ranked(rows, dataset.decides):
        cells = (f"{rows[method][metric]:.4g}" if metric in rows[method] else "" for metric in shown)
        lines.append("| " + " | ".join([method, *cells]) + " |")
    cover = ""
    if "coverage_80" in ours:
        cover = f"; the 80 % intervals cover {ours['coverage_80']:.1%}, the 95 % intervals {ours['coverage_95']:.1%}"
    return (
        f"`python -m benchmarks.accuracy {name} --budget {result['budget']}` ({result['date']}, commit "
        f"{result['commit']}, {result['processors']} cores, {result['seconds']:.0f} s in all, seed {result['seed']})"
        f"{cover}:\n\n" + "\n".join(lines) + "\n"
    )


if __name__ == "__main__":
    README.write_text(BETWEEN.sub(lambda found: found[1] + sections() + found[2], README.read_text()))
