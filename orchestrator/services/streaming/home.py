"""The folder of an output of many files, which nothing that is named in it may lead out of."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urljoin, urlsplit

from orchestrator.model.errors import OutputMissing

_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Named:
    """A file of an output: its URL, and where it lies under the output's folder."""

    url: str
    path: PurePosixPath


class Home:
    """Where an output's files are: beside ``entry``, the URL of the file that names the others.

    ``entry`` may be a URL without host; then hosts can't be told apart, and
    paths alone decide. Raises ``OutputMissing`` where its name is none.
    """

    def __init__(self, entry: str) -> None:
        parts = urlsplit(entry)
        self._host = (parts.scheme.lower(), parts.netloc.lower())
        self._folder = parts.path[: parts.path.rfind("/") + 1]
        path = self._path_of(entry)
        if path is None:
            raise OutputMissing(f"the output's URL ends in no file's name: {parts.path[:_SHOWN]}")
        self.entry = Named(entry, path)

    def beside(self, name: str) -> Named:
        """The file called ``name`` in the folder itself. Raises ``OutputMissing``."""
        return self.named(name.replace("%", "%25"), self.entry)

    def named(self, reference: str, by: Named) -> Named:
        """What the file ``by`` calls ``reference``.

        Raises ``OutputMissing`` where that is not in the folder.
        """
        try:
            url = _joined(by.url, reference).partition("#")[0]
            path = self._path_of(url)
        except ValueError:
            path = None
        if path is None:
            raise OutputMissing(
                f"{by.path} names a file outside its own folder: {reference[:_SHOWN]}"
            )
        return Named(url, path)

    def _path_of(self, url: str) -> PurePosixPath | None:
        parts = urlsplit(url)
        host = (parts.scheme.lower(), parts.netloc.lower())
        near = host == self._host or (not self._host[1] and host[0] in ("", "http", "https"))
        if not near or not parts.path.startswith(self._folder):
            return None
        steps = [unquote(step) for step in parts.path[len(self._folder) :].split("/")]
        return PurePosixPath(*steps) if all(map(_is_plain, steps)) else None


def _joined(base: str, reference: str) -> str:
    """``urljoin``, which takes no notice of folders where it does not know the scheme (s3)."""
    scheme, mark, rest = base.partition("://")
    if not mark or urlsplit(reference).scheme:
        return urljoin(base, reference)
    return scheme + urljoin(f"http://{rest}", reference).removeprefix("http")


def _is_plain(step: str) -> bool:
    """Whether it is a name that no file system takes otherwise, and none of our own parts'."""
    if step in ("", ".", "..") or not step.isprintable():
        return False
    return not any(sign in step for sign in "/\\") and not (
        step.startswith(".") and step.endswith(".part")
    )
