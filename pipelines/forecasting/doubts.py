"""What a model has never seen, or looks like a mistake, in sentences: it is answered, and not to be trusted."""

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np
import torch

from forecaster.artifact import Artifact
from forecaster.manifest import ROUNDING, DataSpec
from forecaster.model import Model, Numeric
from pipelines.data.oddities import oddities
from pipelines.data.panel import Panel

MOST = 100
"""Sentences at most: a word of its own in each row would make more of them than forecasts."""


def doubts(artifact: Artifact, panel: Panel, before: Sequence[str] = ()) -> tuple[str, ...]:
    """A sentence on each thing in a panel to be doubted, and how it is read; with those `before` it `MOST` at most."""
    every = chain(before, unread(panel, artifact.model), unseen(panel, artifact.spec.data), oddities(panel))
    told = tuple(islice(every, MOST))
    return told if next(every, None) is None else (*told[:-1], "there is more to be doubted")


def unread(panel: Panel, model: Model) -> Iterator[str]:
    """A sentence on values that are gaps to a model, though they are not missing."""
    if not isinstance(model, Numeric) or model.domain == model.support:
        return
    gaps = ~model.domain.holds(torch.from_numpy(panel.values)).numpy()
    if gaps.any():
        series, place = panel.where(row := int(gaps.argmax()))
        count = int(panel.having(gaps).sum())
        yield (
            f"series {series!r}, {place}: the value {panel.values[row]:g}, and there were only {model.domain.words} in"
            f" training; {_often(int(gaps.sum()))} in {count} series read as missing"
        )


def unseen(panel: Panel, data: DataSpec) -> Iterator[str]:
    """A sentence on each label, each static category and each covariate that moves, as there was none in training."""
    yield from _labels(panel, data)
    yield from _categories(panel, data)
    yield from _covariates(panel, data)


def _labels(panel: Panel, data: DataSpec) -> Iterator[str]:
    known = set(data.labels)
    if known.issuperset(panel.labels):
        return
    observed = np.flatnonzero(~np.isnan(panel.values))
    codes, first, count = np.unique(panel.values[observed].astype(np.int64), return_index=True, return_counts=True)
    for code, row, many in zip(codes, observed[first], count, strict=True):
        if (label := panel.labels[code]) not in known:
            series, place = panel.where(int(row))
            yield (
                f"series {series!r}, {place}: the label {label!r} was not there in training; {_often(int(many))} read"
                " as any label, equally likely"
            )


def _categories(panel: Panel, data: DataSpec) -> Iterator[str]:
    for column, category in enumerate(data.static):
        known = set(category.values)
        values, first, count = np.unique(panel.static[:, column].astype(str), return_index=True, return_counts=True)
        for value, row, many in zip(values.tolist(), first, count, strict=True):
            if value not in known:
                yield (
                    f"series {str(panel.ids[row])!r}, {category.name}: the category {value!r} was not there in"
                    f" training; in {many} series read as unknown"
                )


def _covariates(panel: Panel, data: DataSpec) -> Iterator[str]:
    for covariates, cells, indptr in (
        (data.known, panel.known, panel.known_indptr),
        (data.past, panel.past, panel.indptr),
    ):
        for column, name, mean in ((i, one.name, one.mean) for i, one in enumerate(covariates) if one.still):
            there = np.flatnonzero(np.abs(cells[:, column] - mean) > ROUNDING * abs(mean))
            if there.size:
                series, place = panel.where(int(there[0]), indptr)
                yield (
                    f"series {series!r}, {place}: the covariate {name!r} is {cells[there[0], column]:.12g} and never"
                    f" moved in training; {_often(len(there))} read as {mean:.12g}"
                )


def _often(count: int) -> str:
    """How often, in words."""
    return "once" if count == 1 else f"{count} times"
