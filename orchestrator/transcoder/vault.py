"""What the task store may not hold in clear: keys and credentials of clients' requests.

A query waits in the store until its task has ended, with the secrets that it
needs by then. It is sealed with a key that lies beside the store in a file of
its own, which only the service's user may read: a copy of the store alone, in a
backup or a bug report, gives nothing away.
"""

import hashlib
import hmac
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from orchestrator.files import sync
from orchestrator.model.errors import BadInput


class Vault:
    """Seals text with Fernet (AES-128-CBC and HMAC-SHA256). May be used in any thread."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)
        self._digests = hashlib.sha256(b"digests " + key).digest()

    @classmethod
    def at(cls, path: Path) -> "Vault":
        """The vault whose key is in a file, made if it is not there. Raises ``BadInput``."""
        try:
            _make(path)
            return cls(path.read_bytes())
        except ValueError as error:
            raise BadInput(
                f"{path} holds no key of this service; put the right file back, or remove it: "
                "tasks that wait can't be read without it, and fail"
            ) from error
        except OSError as error:
            raise BadInput(f"the key {path} can't be used: {error.strerror or error}") from error

    def seal(self, text: str) -> str:
        """The text, for this vault alone to read."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """The text again; None if it was sealed with another key."""
        if sealed.startswith("{"):
            return sealed  # from before there was a vault
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None

    def digest(self, data: bytes) -> str:
        """What tells data apart and, without the key, lets nobody try guesses at it."""
        return hmac.new(self._digests, data, hashlib.sha256).hexdigest()


def _make(path: Path) -> None:
    if path.exists():
        return
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(Fernet.generate_key())
        file.flush()
        os.fsync(handle)
    part.replace(path)
    sync(path.parent)
