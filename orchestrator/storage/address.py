"""From a destination's URL to a host and a path, for each way that URLs are written.

Object storage is written ``s3://host/bucket/path`` (the documents' examples) or
``s3://bucket/path`` (AWS's own tools). A bucket of AWS may hold dots, but a host
without a dot or a port reaches no storage: with either, the first part is a host.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from orchestrator.query import Destination
from orchestrator.storage.place import Refused
from orchestrator.storage.public import is_public

#: How providers name regions: us-east-1, us-west, nyc3, us-west-002, fr-par, eu01.
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)*-?\d{1,3}|[a-z]{2}-[a-z]+")
_AMAZON = "us-east-1"


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server listens, and the path on it. ``port`` is None for the scheme's own."""

    host: str
    port: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket (or container) and the path in it. ``host`` has a port if the URL has one.

    An empty ``host`` leaves it to the provider that the scheme names.
    """

    host: str
    bucket: str
    path: str

    @property
    def url(self) -> str:
        """The endpoint. No certificate can name a private address or a lone name."""
        return f"{'http' if is_local(self.host) else 'https'}://{self.host}"


def server(destination: Destination) -> Server:
    """The server that a URL names. Raises ``Refused``."""
    parts = urlsplit(_plain(destination.url))
    path = _decoded(parts.path.removeprefix("/"))
    if not parts.hostname:
        raise Refused("names no host")
    if destination.tcp_port and parts.port not in (None, destination.tcp_port):
        raise Refused(f"names another port than tcp_port {destination.tcp_port}")
    return Server(parts.hostname, destination.tcp_port or parts.port, path)


def bucket(destination: Destination) -> Bucket:
    """The bucket that a URL names. Raises ``Refused``."""
    parts = urlsplit(_plain(destination.url))
    path = _decoded(parts.path.removeprefix("/"))
    host = parts.netloc.lower()
    if "." not in host and ":" not in host and host != "localhost":
        return Bucket("", parts.netloc, path)
    name, _, rest = path.partition("/")
    if not name:
        raise Refused(f"names no bucket: write {parts.scheme}://host/bucket/path")
    return Bucket(host, name, rest)


def region(host: str) -> str:
    """The region that a storage's host name holds; AWS's first one if it holds none.

    It is part of a signature. A storage that knows better says so when asked.
    """
    for label in host.partition(":")[0].split(".")[:-2]:
        if _REGION.fullmatch(label):
            return label
    return _AMAZON


def is_local(host: str) -> bool:
    """Whether a host is a lone name or an address that is not of the open internet."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name
    return not is_public(name)


def shown(url: str) -> str:
    """A destination as a message may show it: scheme and host, no path and no credentials."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "the service's disk"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _plain(url: str) -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise Refused("holds a user or a password: write them as key and secret")
    if parts.query or parts.fragment:
        raise Refused("holds a ? or a #: write them as %3F and %23")
    return url


def _decoded(path: str) -> str:
    text = unquote(path)
    if any(step in (".", "..") for step in text.split("/")) or re.search(r"[\x00-\x1f\x7f]", text):
        raise Refused("holds a step (. or ..) or a control character in its path")
    return text
