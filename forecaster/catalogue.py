"""Classes that are chosen by name, found by looking into the files of a package."""

import inspect
import pkgutil
from importlib import import_module
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

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
    """The class called `name`, made with these arguments.

    Raises DataError on a name or an option that there is not, and on an option that is not what the class says it is.
    """
    if name not in catalogue:
        raise DataError(f"no {kind} is called {name!r}", remedy=f"choose from {', '.join(sorted(catalogue))}")
    every = list(inspect.signature(catalogue[name]).parameters.values())[len(arguments) :]
    parameters = {one.name: one for one in every if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
    for option, value in options.items():
        if option not in parameters:
            raise DataError(
                f"the {kind} {name!r} has no option {option!r}",
                remedy=f"choose from {', '.join(parameters)}" if parameters else "leave it out",
            )
        try:
            TypeAdapter(parameters[option].annotation).validate_python(value, strict=True)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise DataError(f"the option {option!r} of the {kind} {name!r} is {value!r}", remedy=problem) from None
    return catalogue[name](*arguments, **options)
