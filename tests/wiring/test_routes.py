"""What is built for a service: here, the limit that its uploads share."""

from pathlib import Path

import pytest

from orchestrator.config import load_config
from orchestrator.wiring.routes import open_route

CONFIG = """
default_service = "q"
[services.q]
kind = "qencode"
url = "http://127.0.0.1:9"
api_key = "key-of-the-test"
[limits]
bandwidth = "2MiB"
"""


@pytest.mark.parametrize(("own", "limit"), [(None, 2 * 2**20), (7000, 7000)])
async def test_the_jobs_bandwidth_is_stronger_and_can_be_changed(
    tmp_path: Path, own: int | None, limit: int
) -> None:
    (tmp_path / "config.toml").write_text(CONFIG)
    config = load_config(tmp_path / "config.toml")
    async with open_route(config, "q", bandwidth=own) as route:
        assert route.throttle.rate == limit
        route.set_bandwidth(5000)
        assert route.throttle.rate == 5000
        route.set_bandwidth(None)
        assert route.throttle.rate is None
