"""Running Shaka Packager: flags in a file, a time limit, errors in plain words."""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.processes import child

_FLAGS = "flags"
_ERROR = re.compile(r"Packaging Error: \d+ \((\w+)\)")
_CODEC = re.compile(r"NOTIMPLEMENTED:.*codec", re.IGNORECASE)
_PLAIN = {
    "FILE_FAILURE": "a file could not be read or written",
    "PARSER_FAILURE": "the encoded file can't be taken apart",
    "MUXER_FAILURE": "the encoded stream does not fit its container",
    "ENCRYPTION_FAILURE": "it could not be encrypted",
    "CHUNKING_ERROR": "it could not be cut into segments",
    "UNIMPLEMENTED": "this container can't hold the codec",
    "INVALID_ARGUMENT": "the packager does not take these settings",
}
_INFO = re.compile(r"^ ([a-z_]+): (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Packager:
    """The program, and how long one run of it may take, in seconds."""

    program: Path
    limit: float
    nice: int = 5

    async def run(self, folder: Path, stream: str, flags: Mapping[str, str | None]) -> str:
        """One run in ``folder`` over one stream descriptor; the answer is what it printed.

        The flags, keys among them, go through a file that only we can read:
        other users of the machine see every process's arguments. Raises
        ``MediaError``; however it ends, process and file are gone.
        """
        path = folder / _FLAGS
        await asyncio.to_thread(_write_private, path, flags)
        try:
            command = (str(self.program), stream, f"--flagfile={_FLAGS}")
            status, said, errors = await self._run(command, folder)
        finally:
            path.unlink(missing_ok=True)
        if status:
            raise MediaError(f"packaging failed: {_reason(status, errors)}")
        return said

    async def info(self, folder: Path, file: str) -> dict[str, str]:
        """What the packager says of a file's first stream. Raises ``MediaError``.

        ``codec_string`` is as in RFC 6381, read from the stream's own configuration.
        """
        said = await self.run(folder, f"in={file},stream=0", {"dump_stream_info": None})
        return dict(_INFO.findall(said))

    async def _run(self, command: Sequence[str], folder: Path) -> tuple[int, str, str]:
        try:
            async with (
                asyncio.timeout(self.limit),
                child(command, cwd=folder, nice=self.nice) as process,
            ):
                said, errors = await process.communicate()
        except TimeoutError:
            raise MediaError(f"packaging took longer than {self.limit:g} seconds") from None
        except OSError as error:
            raise MediaError(f"the packager could not be started: {error.strerror}") from error
        status = process.returncode or 0
        return status, said.decode(errors="replace"), errors.decode(errors="replace")


def _write_private(path: Path, flags: Mapping[str, str | None]) -> None:
    lines = (f"--{name}" if value is None else f"--{name}={value}" for name, value in flags.items())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join((*lines, "--quiet\n")))


def _reason(status: int, errors: str) -> str:
    if "No space left on device" in errors:
        return "the transcoder's disk is full"
    if _CODEC.search(errors):
        return "this container can't hold the codec"
    if named := _ERROR.search(errors):
        return _PLAIN.get(named[1], f"the packager gave up ({named[1]})")
    if status < 0:
        return f"the packager was ended from outside (signal {-status})"
    return f"the packager ended with status {status}"
