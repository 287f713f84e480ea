"""The floors: imports only point down, no two files or folders need each other, each package stays on its own floor."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

# From the ground up: each floor may import itself, the floors above it in this table, and these packages.
FLOORS = {
    "forecaster": {"jaxtyping", "numpy", "pydantic", "safetensors", "torch"},
    "pipelines": {
        *{
            "cachetools",
            "jaxtyping",
            "joblib",
            "matplotlib",
            "mlflow",
            "numpy",
            "optuna",
            "orjson",
            "pandas",
            "prometheus_client",
        },
        *{"pyarrow", "pydantic", "ray", "requests", "scipy", "sqlalchemy", "torch", "tqdm", "typer", "yaml"},
    },
    "service": {
        *{"bentoml", "numpy", "orjson", "pandas", "prometheus_client", "pydantic", "starlette"},
    },
}
# A file that is read in another environment, which has one package and nothing of ours.
ELSEWHERE = {"pipelines.schedule.definitions": "dagster"}
# Packages and calls that may run code hidden in the data they read, or write such data.
FORBIDDEN = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
# A process pool moves our own objects between our own processes: nothing that it unpickles was ever a file.
ALLOWED = {("pipelines.runs.engine", f"joblib.{name}") for name in ("Parallel", "cpu_count", "delayed")}
FORBIDDEN_CALLS = {
    *{"torch.load", "torch.save", "torch.jit.load", "torch.package.PackageImporter"},
    *{"pandas.read_pickle", "mlflow.pytorch.log_model", "mlflow.sklearn.log_model"},
}
FORBIDDEN_METHODS = {"to_pickle"}
LINES = 260


def modules(*floors: str) -> dict[str, ast.Module]:
    """Every module of these floors by its dotted name."""
    files = {dotted(file): file for floor in floors for file in sorted((ROOT / floor).rglob("*.py"))}
    return {name: ast.parse(file.read_text(), str(file)) for name, file in files.items() if name not in ELSEWHERE}


def dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports, wherever it does: `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def upward(trees: dict[str, ast.Module]) -> list[str]:
    """Imports of a floor above one's own."""
    order = list(FLOORS)
    return [
        f"{name} imports {target}"
        for name, tree in trees.items()
        for target in imports(tree)
        if top(target) in order and order.index(top(target)) > order.index(top(name))
    ]


def strangers(trees: dict[str, ast.Module]) -> list[str]:
    """Imports of packages that are not of the module's floor."""
    own = {*sys.stdlib_module_names, *FLOORS}
    return [
        f"{name} imports {target}"
        for name, tree in trees.items()
        for target in imports(tree)
        if top(target) not in own | FLOORS[top(name)]
    ]


def needs(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Which modules each module imports."""
    return {name: {found for t in imports(tree) if (found := module(t, trees))} for name, tree in trees.items()}


def between_folders(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same of the folders in a floor, each as one, and of the modules beside them."""
    folders: dict[str, set[str]] = {}
    for name, targets in graph.items():
        folders.setdefault(folder(name), set()).update({folder(target) for target in targets} - {folder(name)})
    return folders


def folder(name: str) -> str:
    """Of a.b.c the folder a.b; a module that lies in no folder of its floor stands for itself."""
    return ".".join(name.split(".")[:2])


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """One circle of imports, the first and the last the same; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def module(target: str, trees: dict[str, ast.Module]) -> str | None:
    """The module that an imported name lies in: a.b where a/b.py exists, else a."""
    return next((name for name in (target, target.rpartition(".")[0]) if name in trees), None)


def code_runners(trees: dict[str, ast.Module]) -> list[str]:
    """Uses of anything that may run code hidden in the data it reads."""
    found = []
    for name, tree in trees.items():
        banned = [target for target in imports(tree) if top(target) in FORBIDDEN and (name, target) not in ALLOWED]
        found += [f"{name} imports {target}" for target in banned]
        found += [f"{name} imports {target}" for target in imports(tree) if target in FORBIDDEN_CALLS]
        long = {
            alias.asname or alias.name: alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                first, _, rest = ast.unparse(node).partition(".")
                if f"{long.get(first, first)}.{rest}" in FORBIDDEN_CALLS or node.attr in FORBIDDEN_METHODS:
                    found.append(f"{name}:{node.lineno} uses {ast.unparse(node)}")
            elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                found.append(f"{name}:{node.lineno} sets allow_pickle")
    return found


def undeclared(trees: dict[str, ast.Module], requirements: list[str]) -> list[str]:
    """Packages that are imported but not required."""
    declared = {canonicalize_name(Requirement(line).name) for line in requirements}
    used = {top(target) for tree in trees.values() for target in imports(tree)}
    providers = packages_distributions()
    return [
        package
        for package in sorted(used - {*sys.stdlib_module_names, *FLOORS, "benchmarks", "tests"})
        if declared.isdisjoint(map(canonicalize_name, providers.get(package, [package])))
    ]


def top(name: str) -> str:
    return name.partition(".")[0]


def parse(**sources: str) -> dict[str, ast.Module]:
    """Modules from source; `__` in a name stands for the dot."""
    return {name.replace("__", "."): ast.parse(source) for name, source in sources.items()}


def test_imports_only_point_down() -> None:
    assert upward(modules(*FLOORS)) == []


def test_no_two_files_import_each_other() -> None:
    assert cycle(needs(modules(*FLOORS))) == []


def test_no_two_folders_import_each_other() -> None:
    assert cycle(between_folders(needs(modules(*FLOORS)))) == []


def test_folders_of_the_second_floor_import_those_above_them_on_the_page() -> None:
    told = (ROOT / "docs/architecture.md").read_text().partition("hold the code to:\n")[2].partition("## ")[0]
    order = [f"pipelines.{name}" for name in re.findall(r"^    (\w+)  ", told, flags=re.MULTILINE)]
    graph = between_folders(needs(modules("pipelines")))
    assert set(order) == graph.keys() - {"pipelines", "pipelines.__main__"}
    assert [(name, target) for i, name in enumerate(order) for target in graph[name] & {*order[i + 1 :]}] == []


def test_packages_stay_on_their_floor() -> None:
    assert strangers(modules(*FLOORS)) == []


def test_the_command_line_teaches_without_loading_torch() -> None:
    """Else `--help` takes seconds, in which Ctrl-C is a stack trace."""
    seen = "import sys, pipelines.cli.app; print(sorted({'torch', 'mlflow', 'pandas'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", seen], cwd=ROOT, text=True) == "[]\n"


@pytest.mark.parametrize(("name", "package"), ELSEWHERE.items())
def test_what_is_read_elsewhere_needs_nothing_of_ours(name: str, package: str) -> None:
    tree = ast.parse((ROOT / name.replace(".", "/")).with_suffix(".py").read_text())
    assert {top(target) for target in imports(tree)} <= {*sys.stdlib_module_names, package}
    assert code_runners({name: tree}) == []


def test_nothing_reads_code_from_data() -> None:
    assert code_runners(modules(*FLOORS)) == []


def test_files_are_of_one_idea() -> None:
    files = [file for floor in FLOORS for file in (ROOT / floor).rglob("*.py")]
    assert [file for file in files if len(file.read_text().splitlines()) > LINES] == []


@pytest.mark.parametrize(
    ("folders", "extras"), [(tuple(FLOORS), ["ray"]), (("benchmarks", "tests"), ["benchmarks", "dev"])]
)
def test_what_is_imported_is_declared(folders: tuple[str, ...], extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = project["dependencies"]
    required += [line for extra in extras for line in project["optional-dependencies"][extra]]
    assert undeclared(modules(*folders), required) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("forecaster__model", "import pipelines"),
        ("forecaster__model", "from pipelines.data.panel import Panel"),
        ("forecaster__model", "def late():\n    from service import app"),
        ("pipelines__train", "import service.app as app"),
    ],
)
def test_an_arrow_up_is_seen(name: str, source: str) -> None:
    assert upward(parse(**{name: source})) != []


def test_an_arrow_down_is_allowed() -> None:
    assert upward(parse(service__app="import pipelines.forecasting.predict\nfrom forecaster.errors import E")) == []


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("import forecaster.two", "import forecaster.one"),
        ("from forecaster.two import b", "from forecaster.one import a"),
        ("from forecaster import two", "def late():\n    from forecaster import one"),
    ],
)
def test_a_circle_is_seen(one: str, two: str) -> None:
    assert cycle(needs(parse(forecaster="", forecaster__one=one, forecaster__two=two))) != []


def test_a_circle_of_three_through_the_package_is_seen() -> None:
    trees = parse(forecaster="from forecaster.one import a", forecaster__one="from forecaster import a")
    assert sorted(set(cycle(needs(trees)))) == ["forecaster", "forecaster.one"]


def test_a_chain_is_no_circle() -> None:
    one, two = "import forecaster.two", "import math"
    assert cycle(needs(parse(forecaster=one, forecaster__one=one, forecaster__two=two))) == []


def test_a_circle_of_folders_is_seen_where_no_files_make_one() -> None:
    trees = parse(
        pipelines__data__one="import pipelines.clock.one",
        pipelines__data__two="",
        pipelines__clock__one="",
        pipelines__clock__two="import pipelines.data.two",
    )
    assert cycle(needs(trees)) == []
    assert sorted(set(cycle(between_folders(needs(trees))))) == ["pipelines.clock", "pipelines.data"]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("forecaster__model", "import pandas as pd"),
        ("forecaster__model", "from mlflow.tracking import MlflowClient"),
        ("pipelines__cli", "import bentoml"),
        ("service__app", "import torch"),
        ("service__app", "def late():\n    import mlflow"),
    ],
)
def test_a_package_on_a_foreign_floor_is_seen(name: str, source: str) -> None:
    assert strangers(parse(**{name: source})) != []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('weights')",
        "import torch as t\nt.load('weights')",
        "from torch import load",
        "import numpy as np\nnp.load('a', allow_pickle=True)",
        "frame.to_pickle('a')",
        "import pandas as pd\npd.read_pickle('a')",
    ],
)
def test_a_way_to_run_code_from_data_is_seen(source: str) -> None:
    assert code_runners(parse(pipelines__save=source)) != []


def test_the_pool_is_allowed_where_it_is_and_nothing_else_of_its_package() -> None:
    assert code_runners(parse(pipelines__runs__engine="from joblib import Parallel")) == []
    assert code_runners(parse(pipelines__runs__engine="from joblib import load")) != []
    assert code_runners(parse(pipelines__score="from joblib import Parallel")) != []


def test_a_package_that_is_not_declared_is_seen() -> None:
    trees = parse(pipelines__job="import sklearn.linear_model\nimport yaml\nimport math")
    assert undeclared(trees, ["scikit-learn>=1.6"]) == ["yaml"]
