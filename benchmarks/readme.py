"""The accuracy table of the README, made from `benchmarks/results`: `python -m benchmarks.readme`."""

import json
import re
from pathlib import Path

from benchmarks.published import DATASETS, Row

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
BETWEEN = re.compile(r"(<!-- accuracy -->\n).*?(<!-- /accuracy -->)", re.DOTALL)


def sections() -> str:
    """One table for each data set that has a result, ours among what others published."""
    parts = []
    for name, dataset in DATASETS.items():
        file = HERE / "results" / f"{name}.json"
        if file.exists():
            result = json.loads(file.read_text())
            metrics = result["metrics"]
            ours: Row = (
                "**`forecaster train`**",
                metrics["smape"],
                metrics["mase"],
                metrics.get("owa"),
                metrics["weighted_quantile_loss"],
                metrics["msis"],
            )
            ranked = sorted([*dataset.rows, ours], key=lambda row: (row[3] or 9.0, row[2] or 9.0))
            parts.append(
                f"`python -m benchmarks.accuracy {name} --budget {result['budget']}` ({result['date']}, "
                f"commit {result['commit']}, {result['processors']} cores, {result['seconds']:.0f} s in all, "
                f"seed {result['seed']}); the 80 % intervals cover {metrics['coverage_80']:.1%}, the 95 % intervals "
                f"{metrics['coverage_95']:.1%}:\n\n"
                "| method | sMAPE | MASE | OWA | wQL | MSIS |\n| --- | --- | --- | --- | --- | --- |\n"
                + "".join(f"| {' | '.join(map(_cell, row))} |\n" for row in ranked)
            )
    return "\n".join(parts)


def _cell(value: str | float | None) -> str:
    return value if isinstance(value, str) else "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    README.write_text(BETWEEN.sub(lambda found: found[1] + sections() + found[2], README.read_text()))
