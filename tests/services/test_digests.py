"""Checksums are believed where they say what they are of, and nowhere else."""

import hashlib
from base64 import b64encode
from pathlib import Path

import pytest
from multidict import CIMultiDict

from orchestrator.services.digests import digest_of, named_digest

BODY = b"some bytes"
MD5 = hashlib.md5(BODY)
SHA256 = b64encode(hashlib.sha256(BODY).digest()).decode()
SHA512 = b64encode(hashlib.sha512(BODY).digest()).decode()
MD5_64 = b64encode(MD5.digest()).decode()
S3 = {"Server": "AmazonS3", "ETag": f'"{MD5.hexdigest()}"'}


def named(headers: dict[str, str], status: int = 200, host: str = "b.s3.amazonaws.com") -> str:
    digest = named_digest(CIMultiDict(headers), status, host)
    if digest is None:
        return "none"
    assert digest.value == hashlib.new(digest.algorithm, BODY).digest()
    return digest.algorithm


@pytest.mark.parametrize(
    ("headers", "algorithm"),
    [
        ({"Repr-Digest": f"sha-256=:{SHA256}:"}, "sha256"),
        ({"repr-digest": f"sha-512=:{SHA512}:, sha-256=:{SHA256}:"}, "sha256"),
        ({"Repr-Digest": f"sha-512=:{SHA512}:"}, "sha512"),
        ({"Digest": f"SHA-256={SHA256}"}, "sha256"),
        ({"Digest": f"md5={MD5_64},unixsum=30637"}, "md5"),
        ({"Content-MD5": MD5_64}, "md5"),
        (S3, "md5"),
        ({**S3, "x-amz-server-side-encryption": "AES256"}, "md5"),
        ({}, "none"),
        ({"Repr-Digest": f"sha-256={SHA256}"}, "none"),
        ({"Repr-Digest": "sha-256=:AAAA:"}, "none"),
        ({"Repr-Digest": "sha-256=:not base64!:"}, "none"),
        ({"Digest": "nothing at all,,=;"}, "none"),
        ({"Content-MD5": "é"}, "none"),
        ({"Content-MD5": MD5_64, "Content-Encoding": "gzip"}, "none"),
        ({"ETag": S3["ETag"]}, "none"),
        ({"Server": "nginx", "ETag": S3["ETag"]}, "none"),
        ({**S3, "ETag": f'W/"{MD5.hexdigest()}"'}, "none"),
        ({**S3, "ETag": f'"{MD5.hexdigest()}-2"'}, "none"),
        ({**S3, "x-amz-server-side-encryption": "aws:kms"}, "none"),
        ({**S3, "x-amz-server-side-encryption-customer-algorithm": "AES256"}, "none"),
    ],
)
def test_what_a_server_names(headers: dict[str, str], algorithm: str) -> None:
    assert named(headers) == algorithm


def test_of_a_part_only_what_is_said_of_the_whole_counts() -> None:
    assert named({"Repr-Digest": f"sha-256=:{SHA256}:"}, 206) == "sha256"
    assert named({"Content-MD5": MD5_64}, 206) == "none"
    assert named(S3, 206) == "md5"
    assert named({"Repr-Digest": f"sha-256=:{SHA256}:"}, 416) == "none"
    assert named(S3, host="b--use1-az5--x-s3.s3express-use1-az5.us-east-1.amazonaws.com") == "none"


async def test_a_files_own(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(BODY * 1_000_000)
    assert await digest_of(path, "md5") == hashlib.md5(BODY * 1_000_000).digest()
