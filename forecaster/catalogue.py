"""Classes that are chosen by name, found by looking into the files of a package."""

import inspect
import pkgutil
from importlib import import_module
from typing import Any, TypeVar

from forecaster.errors import DataError

T = TypeVar("T")


def named(package: str, base: type[T]) -> dict[str, type[T]]:
    """The subclasses of `base` in the files of `package` that have a `name` of their own, by that name.

    Raises TypeError where two have the same one.
    """
    found: dict[str, type[T]] = {}
    for file in pkgutil.iter_modules(import_module(package).__path__, f"{package}."):
        for one in vars(import_module(file.name)).values():
            if inspect.isclass(one) and issubclass(one, base) and "name" in vars(one) and one.__module__ == file.name:
                name = vars(one)["name"]
                if name in found:
                    raise TypeError(f"{one.__module__} and {found[name].__module__} both have a {name!r}")
                found[name] = one
    return found


def make(catalogue: dict[str, type[T]], kind: str, name: str, *arguments: int, **options: Any) -> T:
    """The class called `name`, made with these arguments. Raises DataError on a name or an option it does not have."""
    if name not in catalogue:
        raise DataError(f"no {kind} is called {name!r}", remedy=f"choose from {', '.join(sorted(catalogue))}")
    signature = inspect.signature(catalogue[name])
    if unknown := options.keys() - signature.parameters.keys():
        known = list(signature.parameters)[len(arguments) :]
        raise DataError(
            f"the {kind} {name!r} has no option {min(unknown)!r}",
            remedy=f"choose from {', '.join(known)}" if known else "leave it out",
        )
    return catalogue[name](*arguments, **options)
