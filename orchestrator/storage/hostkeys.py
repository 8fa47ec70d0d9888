"""SSH host keys: the first one that a server shows is kept, and no other is taken after it.

The file is OpenSSH's ``known_hosts`` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), with
names in the clear, so that an operator may fill it in beforehand or remove a line.
"""

import os
from pathlib import Path

import asyncssh


class HostKeys:
    """The host keys in a file. Blocks, shortly: the file is small."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, host: str, port: int) -> list[asyncssh.SSHKey]:
        """The keys that a server may show; none if it was never met."""
        name = _name(host, port)
        found = []
        for line in self._lines():
            fields = line.split()
            if (
                len(fields) >= 3
                and not line.startswith(("#", "@"))
                and name in fields[0].split(",")
            ):
                found.append(asyncssh.import_public_key(" ".join(fields[1:3])))
        return found

    def keep(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        """Take a server's key as its own from now on."""
        kind, data = key.export_public_key("openssh").decode().split()[:2]
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{_name(host, port)} {kind} {data}\n")
            file.flush()
            os.fsync(handle)

    def _lines(self) -> list[str]:
        try:
            return self._file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


def _name(host: str, port: int) -> str:
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"
