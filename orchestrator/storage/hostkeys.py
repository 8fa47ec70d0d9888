"""SSH servers: the first host key that one shows is kept, and no other is taken after it.

The file is OpenSSH's ``known_hosts`` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT), with
names in the clear, so that an operator may fill it in beforehand or remove a line.
"""

import logging
import os
from pathlib import Path

import asyncssh

# It tells the user names that it logs in with.
logging.getLogger("asyncssh").setLevel(logging.WARNING)

CHANGED = (
    "its host key is not the one that it showed before; if that is right, remove its line "
    "from the service's known_hosts"
)


class KeyChanged(Exception):
    """Raised when a server that was met shows another host key; its text is for people."""

    def __init__(self) -> None:
        super().__init__(CHANGED)


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

    async def connect(
        self, host: str, port: int, address: str, *, user: str, password: str, **options: float
    ) -> asyncssh.SSHClientConnection:
        """A connection to ``host``, which is at ``address``, by password alone.

        ``options`` are asyncssh's times. Raises ``KeyChanged``, and what asyncssh raises.
        """
        known = self.of(host, port)
        judge = _Client(bool(known))
        try:
            connection = await asyncssh.connect(
                address,
                port,
                client_factory=lambda: judge,
                config=None,
                known_hosts=(known, [], []),
                username=user,
                password=password,
                client_keys=None,
                agent_path=None,
                gss_host=None,
                preferred_auth="password,keyboard-interactive",
                # Nothing here inflates what strangers send.
                compression_algs=("none",),
                **options,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise KeyChanged from error
        except asyncssh.KeyExchangeFailed as error:
            if not known:
                raise
            # Of a server that was met, only keys of the kind that it showed are asked for.
            raise KeyChanged from error
        if judge.shown is not None and not self._take(host, port, judge.shown):
            connection.abort()
            raise KeyChanged
        return connection

    def _take(self, host: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Whether a new server's key is its own, though others met it in the meantime."""
        known = self.of(host, port)
        if not known:
            self._keep(host, port, key)
        return not known or key in known

    def _keep(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
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


class _Client(asyncssh.SSHClient):
    """Judges the host key; ``shown`` is one that was not known."""

    def __init__(self, known: bool) -> None:
        self._known = known
        self.shown: asyncssh.SSHKey | None = None

    def validate_host_public_key(self, *where: object) -> bool:
        """asyncssh's question about a key that is not in ``known_hosts``; it comes last."""
        key = where[-1]
        assert isinstance(key, asyncssh.SSHKey)
        self.shown = key
        return not self._known


def _name(host: str, port: int) -> str:
    return host.lower() if port == 22 else f"[{host.lower()}]:{port}"
