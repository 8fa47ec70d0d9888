"""Media files in a folder, or behind a pattern: found as they are asked for.

One folder's names are in memory at a time. Within a folder, its files come
first and then its folders, each in the order of their names, so that two scans
of an unchanged tree give the same rows in the same order.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import normpath

from orchestrator.manifest.rows import RowMaker
from orchestrator.manifest.uris import printable
from orchestrator.model.items import Problem, Row

#: What ffmpeg demuxes and people keep in media libraries. Images are left out:
#: in such libraries they are posters and thumbnails.
MEDIA_SUFFIXES = frozenset(
    """
    3g2 3gp asf avi dav divx dv dvr-ms f4v flv gxf ivf m1v m2p m2t m2ts m2v m4v mj2 mjpeg mjpg
    mkv mov mp4 mpe mpeg mpg mpv mts mxf nsv nut ogm ogv ps qt rm rmvb tod trp ts vob webm wmv
    wtv y4m
    264 265 av1 avc h264 h265 hevc obu vc1
    aac ac3 aif aifc aiff amr ape au caf dff dsf dts eac3 ec3 flac m4a m4b mka mp2 mp3 mpc oga
    ogg opus ra rf64 spx thd tta w64 wav wma wv
    """.split()  # noqa: SIM905 - reads better than 80 quoted words
)

#: How transfers that are still under way end: curl, browsers, FTP and torrent clients.
UNFINISHED_SUFFIXES = (
    ".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".aria2",
    ".tmp", ".temp", "~",
)  # fmt: skip

#: What file systems and storage appliances keep beside the library's own folders.
SYSTEM_FOLDERS = frozenset(
    {"lost+found", "$RECYCLE.BIN", "System Volume Information", "@eaDir", "#recycle", "#snapshot"}
)


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder of a scan. ``depth`` counts from 0 for the root; the lists are sorted."""

    path: str
    depth: int
    files: list[str]
    folders: list[str]


def is_media(name: str) -> bool:
    """Whether a file's name ends like a media file's."""
    _, dot, suffix = name.rpartition(".")
    return bool(dot) and suffix.lower() in MEDIA_SUFFIXES


def walk(root: str, file: str, enter: Callable[[int, str], bool]) -> Iterator[Folder | Problem]:
    """Every folder from ``root`` (absolute) down, without what is hidden or unfinished.

    ``enter(depth, name)`` says whether to go into a folder of that name; links
    to folders are followed, but never into a folder that they lie in. A folder
    that can't be read is a problem of ``file``, and the walk goes on.
    """
    waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [(root, ())]
    while waiting:
        path, above = waiting.pop()
        try:
            info = os.stat(path)  # noqa: PTH116 - text in, text out
            if (info.st_dev, info.st_ino) in above:
                continue
            files, folders = _listed(path)
        except OSError as error:
            message = f"the folder {printable(path)} can't be read: {error.strerror}"
            yield Problem(file, message, "give this user the right to read it, or move it away")
            continue
        yield Folder(path, len(above), files, folders)
        below = (*above, (info.st_dev, info.st_ino))
        entered = [name for name in folders if enter(len(above), name)]
        waiting += [(normpath(f"{path}/{name}"), below) for name in reversed(entered)]


def scan(root: str, maker: RowMaker, file: str) -> Iterator[Row | Problem]:
    """A row for each media file in the folder ``root`` (absolute) and below."""
    for folder in walk(root, file, lambda _depth, _name: True):
        if isinstance(folder, Problem):
            yield folder
        else:
            yield from _rows(folder.path, filter(is_media, folder.files), maker, file)


def scan_pattern(pattern: str, maker: RowMaker, file: str) -> Iterator[Row | Problem]:
    """A row for each file that matches ``pattern`` (absolute, see ``pattern_root``).

    ``*``, ``?`` and ``[...]`` stay within one name, ``**`` stands for any number
    of folders. Where the last name of the pattern leaves its suffix open, only
    media files match.
    """
    root = pattern_root(pattern)
    *folders, last = _below(pattern, root)
    if last == "**":
        folders, last = [*folders, "**"], "*"
    suffix = last.rpartition(".")[2]
    any_suffix = "." in last and not has_magic(suffix)

    def enter(depth: int, name: str) -> bool:
        steps = folders[: depth + 1]
        return "**" in steps or (depth < len(folders) and fnmatchcase(name, folders[depth]))

    for folder in walk(root, file, enter):
        if isinstance(folder, Problem):
            yield folder
        elif _matches(_below(folder.path, root), folders):
            names = (
                name
                for name in folder.files
                if fnmatchcase(name, last) and (any_suffix or is_media(name))
            )
            yield from _rows(folder.path, names, maker, file)


def has_magic(text: str) -> bool:
    """Whether ``text`` is a pattern and not a path."""
    return any(sign in text for sign in "*?[")


def pattern_root(pattern: str) -> str:
    """The deepest folder that everything behind an absolute pattern lies in."""
    steps = pattern.split("/")
    first = next((at for at, step in enumerate(steps) if has_magic(step)), len(steps))
    return "/".join(steps[: min(first, len(steps) - 1)]) or "/"


def _below(path: str, root: str) -> list[str]:
    rest = path[len(root.rstrip("/")) + 1 :]
    return rest.split("/") if rest else []


def _matches(steps: list[str], patterns: list[str]) -> bool:
    """Whether a folder's path matches, ``**`` taking any number of steps."""
    if not patterns:
        return not steps
    if patterns[0] == "**":
        return any(_matches(steps[skipped:], patterns[1:]) for skipped in range(len(steps) + 1))
    return bool(steps) and fnmatchcase(steps[0], patterns[0]) and _matches(steps[1:], patterns[1:])


def _listed(path: str) -> tuple[list[str], list[str]]:
    """The files and folders in a folder, sorted."""
    files: list[str] = []
    folders: list[str] = []
    unfinished: set[str] = set()
    with os.scandir(path) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == ".":
                continue
            if name.endswith(UNFINISHED_SUFFIXES):
                # A browser keeps the place of film.mov while film.mov.part grows.
                unfinished.add(name.rpartition(".")[0])
            elif _is_folder(entry):
                if name not in SYSTEM_FOLDERS:
                    folders.append(name)
            else:
                files.append(name)
    return sorted(name for name in files if name not in unfinished), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads back to itself
        return False


def _rows(folder: str, names: Iterator[str], maker: RowMaker, file: str) -> Iterator[Row | Problem]:
    for name in names:
        path = f"{folder}/{name}" if folder != "/" else f"/{name}"
        if path.isascii() or path == printable(path):
            yield maker.row(0, path)
        else:
            message = f"the name of {printable(path)} is not UTF-8"
            yield Problem(file, message, "rename it", field="source")
