"""URLs under a service's base URL, kept so that they survive a change of address."""

from functools import lru_cache

from yarl import URL


@lru_cache(maxsize=1024)
def relative(url: str, base: str) -> str:
    """``url`` without ``base`` where it lies under it (then it begins with ``/``), else ``url``."""
    this, home = URL(url), URL(base)
    if (this.scheme, this.host, this.port) != (home.scheme, home.host, home.port):
        return url
    root = home.raw_path.rstrip("/")
    if this.raw_path != root and not this.raw_path.startswith(root + "/"):
        return url
    rest = this.raw_path[len(root) :] or "/"
    return f"{rest}?{this.raw_query_string}" if this.raw_query_string else rest


def absolute(url: str, base: str) -> str:
    """The other way round: where a stored ``url`` is to be found now."""
    return base.rstrip("/") + url if url.startswith("/") else url
