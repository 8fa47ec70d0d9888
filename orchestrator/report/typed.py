"""Commands for a person to type next, as this person would have to type them."""

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_NAME = "orchestrator"


def program() -> str:
    """How this program is called here: its name, or its path where the name is not enough.

    In a virtual environment that is not active the name alone finds nothing.
    """
    called = Path(sys.argv[0])
    found = shutil.which(_NAME)
    if called.name != _NAME or (found and Path(found).resolve() == called.resolve()):
        return _NAME
    return shlex.quote(str(called))


@dataclass(frozen=True, slots=True)
class Typed:
    """The job as the person named it, and what ``run`` was told over its file.

    ``manifest`` and ``others`` are options with their values; all is fit for a shell.
    """

    job: str
    program: str = _NAME
    manifest: str = ""
    others: str = ""

    def run(self, more: str = "") -> str:
        """The same run again."""
        return self.on_job("run", self.manifest, self.others, more)

    def on_job(self, command: str, *more: str) -> str:
        """Another command for the job."""
        return " ".join(filter(None, (self.program, command, self.job, *more)))
