"""What can be set: the sections of ``config.toml``, with their defaults and meanings.

Pure data, frozen once checked. ``orchestrator.config`` reads it.
"""

from orchestrator.settings.encoding import (
    ServeConfig,
)
from orchestrator.settings.running import (
    BreakerConfig,
    BudgetConfig,
    CollectConfig,
    LedgerConfig,
    LimitsConfig,
    LogConfig,
    ManifestConfig,
    PricesConfig,
    QueueConfig,
    RetryConfig,
    UploadConfig,
    WindowConfig,
)
from orchestrator.settings.services import (
    AnyService,
    EdgeService,
    QencodeService,
    ServiceConfig,
    TranscoderService,
)
from orchestrator.settings.values import (
    Bytes,
    Section,
)

__all__ = [
    "AnyService",
    "BreakerConfig",
    "BudgetConfig",
    "Bytes",
    "CollectConfig",
    "EdgeService",
    "LedgerConfig",
    "LimitsConfig",
    "LogConfig",
    "ManifestConfig",
    "PricesConfig",
    "QencodeService",
    "QueueConfig",
    "RetryConfig",
    "Section",
    "ServeConfig",
    "ServiceConfig",
    "TranscoderService",
    "UploadConfig",
    "WindowConfig",
]
