"""Sizes as people write them."""

import pytest

from orchestrator.query.sizes import in_bytes


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("17", 17),
        (" 512 KiB ", 512 * 1024),
        ("8mib", 8 * 2**20),
        ("1.5GB", 1_500_000_000),
        ("10b", 10),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert in_bytes(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "-1", "1,5GB", "8 MiBs", "1e6", "10MiB/s", "٣"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="512KiB"):
        in_bytes(text)
