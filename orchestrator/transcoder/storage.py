"""Where outputs go: the service's own downloads, or folders of this machine.

An output without a destination is kept for a while under the unguessable key of
its task. A ``file://`` destination must lie under one of the allowed roots, and
appears there whole or not at all.
"""

import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from orchestrator.files import make_folders, put_in_place, sync
from orchestrator.query import EncodeQuery, Format
from orchestrator.transcoder.answers import ApiError, Code, extension, records
from orchestrator.transcoder.disk import remove, sync_tree
from orchestrator.transcoder.ports import Encoded, MediaError, Produced
from orchestrator.transcoder.tasks import Task

_UNFRIENDLY = re.compile(r"[^\w.\-]+")
_LONGEST_NAME = 100


class Storage:
    """Stores what an encode produced. All methods block: use a thread."""

    def __init__(self, outputs: Path, roots: Sequence[Path]) -> None:
        self._outputs = outputs
        self._roots = tuple(root.resolve() for root in roots)

    def check(self, query: EncodeQuery) -> None:
        """Refuse destinations that can't be written. Raises ``ApiError`` naming the field."""
        for index, wanted in enumerate(query.format):
            for each in wanted.destination:
                field = f"query.format[{index}].destination"
                if each.scheme != "file":
                    raise _refused(field, f"this service can't write to {each.scheme}:// yet")
                self._target(each.url, field)

    def store(self, task: Task, query: EncodeQuery, encoded: Encoded) -> list[dict[str, Any]]:
        """Put every output where it belongs; the answer is their records, in order.

        All of it is on the disk on return. May be repeated after a crash.
        Raises ``MediaError``, ``OSError``.
        """
        folder = self._outputs / task.key
        remove(folder)
        names: set[str] = set()
        found: list[dict[str, Any]] = []
        for made in encoded.outputs:
            wanted = query.format[made.format_index]
            if wanted.destination:
                stored = self._send(made, wanted)
            else:
                stored = _keep(made, _name(made, wanted, names), folder)
            found.extend(records(made, stored))
        if names:
            sync_tree(folder)
            sync(self._outputs)
        return found

    def find(self, key: str, path: str) -> Path | None:
        """A file that may be downloaded, None if there is none of that name."""
        folder = (self._outputs / key).resolve()
        file = (folder / path).resolve()
        inside = folder.parent == self._outputs.resolve() and file.is_relative_to(folder)
        return file if inside and file.is_file() else None

    def kept(self) -> set[str]:
        """The keys of the tasks that have outputs here."""
        return {folder.name for folder in self._outputs.iterdir()}

    def drop(self, keys: Iterable[str]) -> None:
        """Remove the outputs of the tasks with these keys."""
        for key in keys:
            remove(self._outputs / key)

    def _send(self, made: Produced, wanted: Format) -> dict[str, Any]:
        field = f"query.format[{made.format_index}].destination"
        for each in wanted.destination:
            try:
                target = self._target(each.url, field)
                _write(made, target)
            except ApiError as error:
                raise MediaError(str(error)) from error
            except OSError as error:
                raise MediaError(f"{field}: can't be written: {error.strerror}") from error
        return {"url": _with_entry(wanted.destination[0].url, made)}

    def _target(self, url: str, field: str) -> Path:
        """The path of a ``file://`` URL, symbolic links followed, under an allowed root."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path))
        if parts.netloc not in ("", "localhost") or not path.is_absolute() or "\0" in str(path):
            raise _refused(field, "must be file:///path on the service's machine")
        target = path.resolve()
        if not any(target != root and target.is_relative_to(root) for root in self._roots):
            raise _refused(field, "is not under a folder that this service may write to")
        return target


def _keep(made: Produced, name: str, folder: Path) -> dict[str, Any]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made.path.rename(folder / name)
    return {"path": f"{name}/{made.entry}" if made.entry else name}


def _write(made: Produced, target: Path) -> None:
    if not made.path.is_dir():
        _place(made.path, target)
        return
    # The entry names the other files, so it must not be seen before them.
    for file in sorted(_files(made.path), key=lambda file: file.name == made.entry):
        _place(file, target / file.relative_to(made.path))


def _place(file: Path, target: Path) -> None:
    """A file at ``target``, whole or not at all, and on the disk."""
    make_folders(target.parent)
    partial = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        _link_or_copy(file, partial)
        put_in_place(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _link_or_copy(file: Path, target: Path) -> None:
    """A link costs nothing. Only one is made: two places must not share their bytes."""
    if file.stat().st_nlink == 1:
        try:
            os.link(file, target)
        except OSError:  # another disk, or a file system without links
            pass
        else:
            return
    shutil.copyfile(file, target)


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _name(made: Produced, wanted: Format, taken: set[str]) -> str:
    """A name for people: the client's tag or the output's type, and never one twice."""
    base = _UNFRIENDLY.sub("_", made.user_tag or made.output).strip("._")[:_LONGEST_NAME]
    base = base or made.output
    ending = extension(wanted)
    suffix = f".{ending}" if ending and not made.path.is_dir() else ""
    name, number = base + suffix, 2
    while name in taken:
        name, number = f"{base}-{number}{suffix}", number + 1
    taken.add(name)
    return name


def _with_entry(url: str, made: Produced) -> str:
    return f"{url.rstrip('/')}/{made.entry}" if made.entry else url


def _refused(field: str, message: str) -> ApiError:
    return ApiError(Code.BAD_QUERY, f"{field}: {message}", field=field)
