"""What a source is called and where it lies: ``name``, ``stem`` and ``parent``.

Templates build output paths of these, so none of them holds a slash that was
not a folder's, and ``parent`` never leads out of a folder that it is put in.
"""

from functools import lru_cache
from posixpath import splitext
from urllib.parse import unquote


class Places:
    """Places of sources seen from one folder, ``base`` (absolute, normalised)."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")
        # Rows of one folder tend to follow each other.
        self._head: str | None = None
        self._parent = ""

    def of(self, source: str) -> tuple[str, str, str]:
        """``(name, stem, parent)`` of a normalised source.

        ``parent`` is relative to ``base`` if the source lies under it, else the
        last folder's name; for a URL, the folders of its path. ``.`` means none.
        """
        if "://" in source:
            return _of_url(source)
        head, _, name = source.rpartition("/")
        if head != self._head:
            self._head, self._parent = head, self._under_base(head)
        dot = name.rfind(".")
        if dot > 0 and name[0] != ".":
            return name, name[:dot], self._parent
        return name, splitext(name)[0], self._parent

    def _under_base(self, head: str) -> str:
        if head == self._base:
            return "."
        if head.startswith(f"{self._base}/"):
            return head[len(self._base) + 1 :]
        return head.rpartition("/")[2] or "."


def _of_url(source: str) -> tuple[str, str, str]:
    head, _, last = source.partition("?")[0].rpartition("/")
    parent, host = _url_folder(head)
    # A URL that ends in a slash is called after its last folder, or its host.
    name = (host and _segment(last)) or parent.rpartition("/")[2].strip(".") or host or last
    dot = name.rfind(".")
    return name, name[:dot] if dot > 0 and name[0] != "." else splitext(name)[0], parent


@lru_cache(maxsize=1024)
def _url_folder(head: str) -> tuple[str, str]:
    """``(parent, host)`` of what stands before a URL's last slash.

    ``host`` is "" where that is the slash before the host.
    """
    host, _, path = head.partition("://")[2].partition("/")
    return "/".join(filter(None, map(_segment, path.split("/")))) or ".", host.rpartition("@")[2]


def _segment(text: str) -> str:
    """One step of a URL's path as a file name; "" where it names none."""
    if "%" in text:
        try:
            plain = unquote(text, errors="strict")
        except UnicodeDecodeError:
            plain = text
        # What would not stay one file name stays encoded.
        text = text if "/" in plain or not plain.isprintable() else plain
    return "" if text in (".", "..") else text
