"""The tables of the README and of two pages of docs, made from `benchmarks/results`: `python -m benchmarks.readme`."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median

from benchmarks.accuracy import columns, kind, others, ranked
from benchmarks.files import RESULTS
from benchmarks.published import COLUMNS, DATASETS

ROOT = Path(__file__).parents[1]
SHOWN = ("smape", "mase", "owa", "weighted_quantile_loss", "msis")
Scores = dict[str, float]


def kept() -> list[str]:
    """The data sets that there is a result of."""
    return [name for name in DATASETS if (RESULTS / f"{name}.json").exists()]


def summary() -> str:
    """A row for each data set: ours, the best of all others, the best simple method, by the score that decides."""
    lines = [["data", "steps ahead", "", "ours, 80 % covers", "best of the others", "best simple", "in all"]]
    scored = []
    for name in kept():
        dataset, result = DATASETS[name], json.loads((RESULTS / f"{name}.json").read_text())
        decides, ours, rows = dataset.decides, result["metrics"], dataset.rows | others(result)
        simple = min(rows[method][decides] for method in rows if "naive" in method and decides in rows[method])
        best, row = min(rows.items(), key=lambda item: item[1].get(decides, math.inf))
        told, beside = f"{ours[decides]:#.3g}", f"{row[decides]:#.3g}"
        if told == beside or ours[decides] < row[decides]:
            told = f"**{told}**"
        seconds = f"{result['seconds']:.0f} s"
        scored.append(ours)
        size = name.removesuffix(f"_{dataset.horizon}"), str(dataset.horizon), COLUMNS[decides]
        told += f", {ours['coverage_80']:.0%}"
        lines.append([*size, told, f"{beside} ({kind(best).removesuffix(' (this run)')})", f"{simple:#.3g}", seconds])
    elsewhere = list(json.loads((RESULTS / "unseen.json").read_text())["sets"].values())
    return f"{markdown(lines)}\n{covered(scored)}\n\n{other_sets(elsewhere)}\n"


def sections() -> str:
    """One table for each data set that has a result, ours among what others published and what was run beside it."""
    return "\n".join(map(section, kept()))


def section(name: str) -> str:
    """The table of one data set, under the command that makes it."""
    dataset, result = DATASETS[name], json.loads((RESULTS / f"{name}.json").read_text())
    ours, published = result["metrics"], {metric for row in dataset.rows.values() for metric in row}
    wanted = {*published, *SHOWN, dataset.decides}
    rows = dataset.rows | others(result) | {"**`forecaster train`**": ours}
    rows = {method: {m: x for m, x in row.items() if m in wanted} for method, row in rows.items()}
    shown = columns(rows)
    lines = [["method", *(COLUMNS[metric] for metric in shown)]] + [
        [method, *(f"{rows[method][metric]:.4g}" if metric in rows[method] else "" for metric in shown)]
        for method in ranked(rows, dataset.decides)
    ]
    cover = ""
    if "coverage_80" in ours:
        cover = f"; the 80 % intervals cover {ours['coverage_80']:.1%}, the 95 % intervals {ours['coverage_95']:.1%}"
    return (
        f"`python -m benchmarks.accuracy {name} --budget {result['budget']}` ({result['date']}, commit "
        f"{result['commit']}, {result['processors']} cores, {result['seconds']:.0f} s in all, seed {result['seed']})"
        f"{cover}:\n\n" + markdown(lines)
    )


def unseen() -> str:
    """What the default command gave on each public set, under the command that says so."""
    result = json.loads((RESULTS / "unseen.json").read_text())
    lines = [["", "series, steps, horizon, origins", "champion", "MASE", "naive", "seasonal naive", "80 % covers"]]
    rows = list(result["sets"].values())
    for name, row in result["sets"].items():
        size = f"{row['series']}, {row['length']:,}, {row['horizon']}, {row['origins']}"
        scores = (f"{row[method]:.3f}" for method in ("mase", "naive", "seasonal naive"))
        lines.append([name, size, row["champion"], *scores, f"{row['coverage_80']:.0%}"])
    return (
        f"`python -m benchmarks.unseen --budget {result['budget']}` ({result['date']}, commit {result['commit']}, "
        f"{result['processors']} cores, seed {result['seed']}):\n\n{markdown(lines)}\n"
        f"{covered(rows)} In the geometric mean the MASE is {share(rows, 'seasonal naive'):.3f} of that of seasonal "
        f"naive and {share(rows, 'naive'):.3f} of that of naive.\n"
    )


def streaming() -> str:
    """The loss of one state that runs on, and that of windows as a share of it, under the command that says so."""
    result = json.loads((RESULTS / "streaming.json").read_text())
    (first, *windows), rows = next(iter(result["losses"].values())), result["losses"]
    shares = {name: [losses[other] / losses[first] for other in windows] for name, losses in rows.items()}
    lines = [["", first, *windows]]
    lines += [[name, f"{rows[name][first]:.3f}", *(f"{share:.3f}" for share in row)] for name, row in shares.items()]
    lines += [["geometric mean", "", *(f"{geometric_mean(one):.3f}" for one in zip(*shares.values(), strict=True))]]
    return (
        f"`python -m benchmarks.streaming --budget {result['budget']:.0f}` ({result['date']}, commit "
        f"{result['commit']}, {result['processors']} cores, seed {result['seed']}): the loss on the origins that a job "
        f"holds out, of windows as a share of that of the first.\n\n{markdown(lines)}"
    )


def other_sets(rows: list[Scores]) -> str:
    """What the table of public sets says, in a sentence."""
    worse = [row["mase"] / row["seasonal naive"] - 1 for row in rows if row["mase"] > row["seasonal naive"]]
    by = f", by {max(worse):.1%} at most" if worse else ""
    return (
        f"On {len(rows)} more public sets (`python -m benchmarks.unseen`, "
        "[table](docs/accuracy.md#public-series-that-nothing-was-tuned-on)) the champion has "
        f"{share(rows, 'seasonal naive'):.3f} of the MASE of seasonal naive in the geometric mean and is worse on "
        f"{len(worse)}{by}. {covered(rows)}"
    )


def covered(rows: list[Scores]) -> str:
    """How far from their share intervals are, over data sets."""
    low, *_, high = sorted(row["coverage_80"] for row in rows)
    least, *_, most = sorted(row["coverage_95"] for row in rows)
    middle = median(row["coverage_80"] for row in rows)
    return (
        f"The 80 % intervals cover {low:.0%} to {high:.0%}, {middle:.0%} in the median, "
        f"the 95 % intervals {least:.0%} to {most:.0%}."
    )


def share(rows: list[Scores], other: str) -> float:
    """The MASE of the champions over that of another method, in the geometric mean over data sets."""
    return geometric_mean(row["mase"] / row[other] for row in rows)


def geometric_mean(shares: Iterable[float]) -> float:
    """What many ratios are on average."""
    return math.exp(mean(map(math.log, shares)))


def markdown(lines: list[list[str]]) -> str:
    """A table, its head first."""
    head, *rows = ("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n".join([head, "|" + " --- |" * len(lines[0]), *rows]) + "\n"


def put(file: Path, name: str, text: str) -> None:
    """Write a text between the two marks of its name."""
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    file.write_text(between.sub(lambda found: found[1] + text + found[2], file.read_text()))


if __name__ == "__main__":
    put(ROOT / "README.md", "accuracy", summary())
    put(ROOT / "docs" / "tables.md", "tables", sections())
    put(ROOT / "docs" / "accuracy.md", "unseen", unseen())
    put(ROOT / "docs" / "accuracy.md", "streaming", streaming())
