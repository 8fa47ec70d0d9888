"""The certificate authorities of this machine, read once: that takes 50 ms."""

import os
import ssl
from functools import lru_cache


def trusted() -> ssl.SSLContext:
    """What judges the certificates of others: the authorities that this machine trusts.

    They are OpenSSL's own, or those that ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
    name. One context for all who ask: to be used, not to be changed.
    """
    return _read(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=4)
def _read(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return ssl.create_default_context()
