"""Who may ask: OAuth 2.0 client credentials (RFC 6749, 4.4), with tokens that are not stored."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.transcoder.settings import EdgeAccount

#: Seconds that a token lasts, as the service's own do, and that it can be renewed.
_LIFE, _RENEWABLE = 36_000, 30 * 24 * 3600
_TOKEN = re.compile(r"([0-9a-f]{10})([0-9a-f]{64})")
_SCOPE: Final = "read write"


class Refused(Exception):
    """Raised when no token is given; ``code`` is RFC 6749's (5.2)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Tokens:
    """Gives tokens to the clients of ``accounts``, and tells whose company one speaks for."""

    def __init__(self, accounts: Mapping[str, EdgeAccount]) -> None:
        self._accounts = dict(accounts)

    def grant(self, form: Mapping[str, str], now: float) -> dict[str, Any]:
        """The answer to a request for a token. Raises ``Refused``."""
        kind = form.get("grant_type", "")
        if kind not in ("client_credentials", "refresh_token"):
            raise Refused("unsupported_grant_type", "grant_type must be client_credentials")
        client = form.get("client_id", "")
        account = self._accounts.get(client)
        # An unknown client takes as long as a known one.
        secret = account.secret.get_secret_value() if account else ""
        known = hmac.compare_digest(secret.encode(), form.get("client_secret", "").encode())
        if account is None or not known:
            raise Refused("invalid_client", "client_id or client_secret is not known here")
        if kind == "refresh_token":
            told = form.get("refresh_token", "")
            if not self._signed(told, client, "refresh", now):
                raise Refused("invalid_grant", "refresh_token has expired or was never given")
        return {
            "access_token": self._sign(client, "access", int(now) + _LIFE),
            "token_type": "Bearer",
            "expires_in": _LIFE,
            "refresh_token": self._sign(client, "refresh", int(now) + _RENEWABLE),
            "scope": _SCOPE,
        }

    def company(self, token: str, now: float) -> str | None:
        """The company that a token speaks for; None where it is no good (any more)."""
        for client, account in self._accounts.items():
            if self._signed(token, client, "access", now):
                return account.company
        return None

    def _sign(self, client: str, use: str, expires: int) -> str:
        return f"{expires:010x}{self._signature(client, use, expires)}"

    def _signed(self, token: str, client: str, use: str, now: float) -> bool:
        match = _TOKEN.fullmatch(token)
        if match is None:
            return False
        expires = int(match[1], 16)
        same = hmac.compare_digest(match[2], self._signature(client, use, expires))
        return same and expires >= now

    def _signature(self, client: str, use: str, expires: int) -> str:
        key = self._accounts[client].secret.get_secret_value()
        message = f"edge {use} {expires} {client}"
        return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()
