"""Why a source could not be fetched: for now, or for good.

The words say nothing of the URL, which may carry credentials or a signature.
"""

import os


class Unfetchable(Exception):
    """Raised when trying again would change nothing: it is not there, or not for us."""


class Refused(Unfetchable):
    """Raised when a web server answers with an error; ``region`` is what S3 says of itself."""

    def __init__(self, why: str, region: str = "") -> None:
        super().__init__(why)
        self.region = region


class NotSecure(Unfetchable):
    """Raised when no TLS can be spoken with a server, or its certificate is not trusted."""

    def __init__(self) -> None:
        super().__init__("no secure connection to its server can be made")


class Interrupted(Exception):
    """Raised when another try, from where this one stopped, may do better.

    ``delay`` is what the server asked us to wait, in seconds.
    """

    def __init__(self, why: str, delay: float = 0.0) -> None:
        super().__init__(why)
        self.delay = delay


def system_words(error: OSError) -> str:
    """What the system says of a connection that failed, without addresses."""
    if isinstance(error, TimeoutError):
        return "its server timed out"
    # asyncio's own words name the address.
    why = os.strerror(error.errno) if error.errno else "it was closed"
    return f"no connection to its server ({why})"
