"""AES-128 for HLS: whole segments, encrypted after they were cut (RFC 8216, 4.3.2.4)."""

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from orchestrator.transcoder.packaging.packing import Aes128

_CHUNK = 1 << 20


def encrypt_file(path: Path, protection: Aes128) -> int:
    """Encrypt a file in place; the answer is its new size. Blocks."""
    cipher = Cipher(AES(protection.key), CBC(protection.iv)).encryptor()
    padder = PKCS7(128).padder()
    partial = path.with_name(f".{path.name}.partial")
    with path.open("rb") as clear, partial.open("wb") as secret:
        while chunk := clear.read(_CHUNK):
            secret.write(cipher.update(padder.update(chunk)))
        secret.write(cipher.update(padder.finalize()) + cipher.finalize())
        size = secret.tell()
    partial.replace(path)
    return size
