"""Keeps secrets out of messages and logs."""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_USERINFO = re.compile(r"(?<=://)[^\s/@\"']*:[^\s@\"']*@")
_LONGEST = 300


def redact(url: str) -> str:
    """``url`` as a message may show it: no userinfo, no query, no fragment.

    Where the scheme is not http(s), everything up to the last ``@`` counts as
    userinfo: the keys in ``s3://KEY:SECRET@bucket/path`` may hold slashes.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url.partition("?")[0].partition("#")[0]
    if scheme.lower() in ("http", "https"):
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    rest = rest.partition("?")[0].partition("#")[0]
    return f"{scheme}://{rest.rpartition('@')[2]}"


def host_of(url: str) -> str:
    """``host:port`` of a URL, without userinfo."""
    return urlsplit(url).netloc.rpartition("@")[2]


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` from a foreign source, in one line of bounded length and without secrets.

    Blanks every one of ``secrets`` and the userinfo of every URL.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = " ".join(_USERINFO.sub("***@", text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
