"""The simulated service keeps to what every service keeps to."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.engine.simulated import SimulatedService
from tests.services.contract_service import ServiceContract


@pytest.mark.looptime
class TestSimulatedService(ServiceContract):
    @pytest.fixture
    def service(self) -> SimulatedService:
        return SimulatedService()

    @pytest.fixture
    def request_body(self) -> Mapping[str, Any]:
        return {"query": {"source": "tus:1", "format": [{"output": "mp4"}]}}
