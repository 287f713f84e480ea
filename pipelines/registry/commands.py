"""The commands of the service, which is a floor above and so another process."""

import sys

from pipelines.registry.fetch import Fetched


def serving(*arguments: str) -> list[str]:
    """The command that serves. A file in the folder that it is called from hides no module of ours (-P)."""
    return [sys.executable, "-P", "-m", "service", *arguments]


def packing(champion: Fetched) -> list[str]:
    """The command that builds a Bento."""
    command = [sys.executable, "-P", "-m", "service.package", str(champion.folder)]
    return [*command, "--name", champion.name, "--version", champion.version]
