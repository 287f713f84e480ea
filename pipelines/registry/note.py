"""Which version of a model is live on this machine: a small file beside the folders of artifacts."""

import fcntl
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from forecaster.durable import replace


class Note(BaseModel):
    """What the file says. The artifact lies beside it, in a folder that is called by its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    digest: str

    @classmethod
    def read(cls, file: Path) -> "Note":
        """Read what `write` wrote."""
        return cls.model_validate_json(file.read_bytes())

    @classmethod
    def last(cls, file: Path) -> "Note | None":
        """The same, None where it was taken away or damaged."""
        try:
            return cls.read(file)
        except (OSError, ValueError):
            return None

    def write(self, file: Path) -> None:
        """Write it: whoever reads finds the old note or this one, and of several who write the last one's holds."""
        with file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            replace(file, self.model_dump_json().encode())

    def artifact(self, file: Path) -> Path:
        """The folder of the artifact that the note in `file` names."""
        return file.parent / self.digest


def refusal(file: Path) -> Path:
    """Where it is said why the champion is not the version that the note in `file` names; absent if it is."""
    return file.with_suffix(".refused")
