"""How requests to object storage are signed. Pure: the time is given.

``sign_s3`` is AWS Signature Version 4 ("Authenticating Requests: Using the
Authorization Header"), ``sign_azure`` is Shared Key ("Authorize with Shared
Key", Blob service, versions from 2015-02-21 on).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import quote

#: What Shared Key signs of the standard headers, in this order.
_AZURE_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def quoted(text: str, safe: str = "") -> str:
    """Percent-encoded as both signatures want it: RFC 3986's unreserved characters stay."""
    return quote(text, safe=f"-_.~{safe}")


def query_string(query: Mapping[str, str]) -> str:
    """A query as it is signed and sent: sorted, encoded."""
    return "&".join(f"{quoted(name)}={quoted(value)}" for name, value in sorted(query.items()))


def sign_s3(
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    sha256: str,
    *,
    key: str,
    secret: str,
    region: str,
    now: datetime,
) -> dict[str, str]:
    """``headers`` with those that sign the request. ``path`` is encoded; ``now`` is UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    day = stamp[:8]
    signed = {
        **{name.lower(): " ".join(value.split()) for name, value in headers.items()},
        "host": host,
        "x-amz-content-sha256": sha256,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join((method, path, query_string(query), lines, names, sha256))
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    step = f"AWS4{secret}".encode()
    for part in (day, region, "s3", "aws4_request"):
        step = _hmac(step, part)
    signature = _hmac(step, text).hex()
    told = f"Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "authorization": f"AWS4-HMAC-SHA256 {told}"}


def sign_azure(
    method: str,
    path: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    account: str,
    secret: bytes,
    now: datetime,
) -> dict[str, str]:
    """``headers`` with those that sign the request. ``path`` is encoded; ``now`` is UTC."""
    signed = {name.lower(): value for name, value in headers.items()}
    signed["x-ms-date"] = format_datetime(now, usegmt=True)
    own = sorted(name for name in signed if name.startswith("x-ms-"))
    # A length of 0 is left out (since version 2015-02-21).
    standard = ["" if signed.get(name) == "0" else signed.get(name, "") for name in _AZURE_HEADERS]
    text = "\n".join(
        (
            method,
            *standard,
            *(f"{name}:{signed[name]}" for name in own),
            f"/{account}{path}",
            *(f"{name.lower()}:{value}" for name, value in sorted(query.items())),
        )
    )
    signature = base64.b64encode(_hmac(secret, text)).decode()
    return {**signed, "authorization": f"SharedKey {account}:{signature}"}


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
