"""One process at a time writes a ledger file.

The lock is the kernel's (``flock``) and ends with the process however that
ends, so nothing has to be cleaned up after a crash. What the file holds is only
for the message that the next process shows; the file itself stays, because
removing it would let two processes lock two different files of one name.
"""

import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Self

import orjson

from orchestrator.model.errors import LedgerInUse, LedgerProblem


class LedgerLock:
    """Holds ``<ledger>.lock`` from ``take`` until ``release``."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._path = ledger.with_name(ledger.name + ".lock")
        self._handle: int | None = None

    def take(self) -> Self:
        """Take the lock at once, or raise ``LedgerInUse`` naming who has it."""
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerProblem(f"can't write beside the ledger: {self._path}: {error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(handle, 4096, 0)
            os.close(handle)
            raise LedgerInUse(self._refusal(holder)) from None
        except OSError as error:
            os.close(handle)
            raise LedgerProblem(f"can't lock the ledger: {self._path}: {error}") from error
        self._sign(handle)
        self._handle = handle
        return self

    def release(self) -> None:
        """Let the next process in."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @staticmethod
    def _sign(handle: int) -> None:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        }
        os.ftruncate(handle, 0)
        os.pwrite(handle, orjson.dumps(holder), 0)

    def _refusal(self, holder: bytes) -> str:
        try:
            who = "process {pid} on {host} has it since {since}".format(**orjson.loads(holder))
        except (ValueError, KeyError, TypeError):
            who = "another process has it"
        return (
            f"the ledger {self._ledger} is in use: {who}; wait for it or stop it "
            "(status, export and dry runs work meanwhile)"
        )
