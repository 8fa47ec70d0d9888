"""Where log lines go: to a file beside the ledger, so that they never tear the display.

The package logs by ``structlog.get_logger(__name__)``; what other libraries log
by the standard library goes the same way.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from orchestrator.model.errors import BadInput

_HIDDEN = "***"
_SECRET_NAMES = re.compile(
    r"api_?keys?$|token$|secret|passw|passphrase|authorization|signature|credential|cookie|"
    r"access_key|private_key",
    re.IGNORECASE,
)
#: Not secrets, though named like them: handles that a person needs to follow an item.
_HANDLES = frozenset({"task_token", "task_tokens"})
_SECRET_PARTS = (
    (re.compile(r"(?<=://)[^/\s@]+@"), f"{_HIDDEN}@"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {_HIDDEN}"),
    (
        re.compile(
            r"(?i)\b(api_?key|(?<!task_)token|secret|password|(?:x-amz-)?signature|sig|"
            r"x-amz-(?:credential|security-token))=[^&\s\"']+"
        ),
        rf"\1={_HIDDEN}",
    ),
)
_LEVELS = logging.getLevelNamesMapping()


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: hides what looks like a secret, should one ever come by.

    A safety net only; nothing is meant to rely on it.
    """
    return _clean_mapping(event)


def configure_logging(
    file: Path | None,
    *,
    level: str = "info",
    format: Literal["text", "json"] = "text",  # noqa: A002 - the setting's own name
    verbose: bool = False,
) -> None:
    """Send log lines of ``level`` and above to ``file``, and with ``verbose`` to stderr too.

    Raises ``BadInput`` when the file can't be written.
    """
    handlers: list[logging.Handler] = []
    if file is not None:
        handlers.append(_to(_opened(file), _lines(format, colours=False)))
    if verbose:
        handlers.append(_to(sys.stderr, _lines("text", colours=sys.stderr.isatty())))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
        old.close()
    for handler in handlers or [logging.NullHandler()]:
        root.addHandler(handler)
    root.setLevel(_LEVELS[level.upper()])
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def current_file() -> Path | None:
    """The file that log lines go to now; None where there is none."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _Quiet) and handler.stream is not sys.stderr:
            return Path(handler.stream.name)
    return None


def hide_secrets(text: str) -> str:
    """``text`` without what looks like a secret."""
    for pattern, instead in _SECRET_PARTS:
        text = pattern.sub(instead, text)
    return text


def _shared() -> list[Processor]:
    """What every line goes through, ours and other libraries'."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,  # before redact: an exception may quote a URL
        redact,
    ]


def _lines(format: str, *, colours: bool) -> logging.Formatter:  # noqa: A002
    last: Processor
    if format == "json":
        last = structlog.processors.JSONRenderer(default=str)
    else:
        last = structlog.dev.ConsoleRenderer(
            colors=colours, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(), processors=[strip, last]
    )


def _to(stream: TextIO, formatter: logging.Formatter) -> logging.Handler:
    handler = _Quiet(stream)
    handler.setFormatter(formatter)
    return handler


class _Quiet(logging.StreamHandler[TextIO]):
    """A full disk or a closed terminal must not print tracebacks over the display."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Let the line go: the ledger has what matters."""

    def close(self) -> None:
        """Close the file; stderr is not ours to close."""
        if self.stream is not sys.stderr:
            self.stream.close()
        super().close()


def _opened(file: Path) -> TextIO:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise BadInput(f"{file}: the log can't be written: {error.strerror or error}") from None


def _clean_mapping(values: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in values.items():
        hidden = _SECRET_NAMES.search(str(name)) and name not in _HANDLES
        values[name] = _HIDDEN if hidden and value else _clean(value)
    return values


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return hide_secrets(value)
    if isinstance(value, dict):
        return _clean_mapping(dict(value))
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    if isinstance(value, BaseException):
        return hide_secrets(f"{type(value).__name__}: {value}")
    return value
