"""The only reader of ``config.toml`` and of the environment.

Where a setting comes from, the strongest first: an environment variable
(``ORCHESTRATOR_LIMITS__UPLOADS=8``: the prefix, then the names joined by two
underscores), the config file, the defaults below. ``config.toml`` at the top of
the repository lists every setting with its default.

Relative paths are relative to the folder of the config file, or to the current
folder where there is none. ``${env:NAME}`` stays as it is written and is
resolved by ``Config.secret`` when it is used, so that no secret is ever held,
shown or stored with the settings.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, Field, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from orchestrator.model.errors import BadInput
from orchestrator.model.items import Problem
from orchestrator.query.lines import line_of, lines_of
from orchestrator.query.problems import nearest
from orchestrator.query.secrets import resolve_secrets
from orchestrator.settings import (
    AnyService,
    BreakerConfig,
    BudgetConfig,
    CollectConfig,
    EdgeService,
    LedgerConfig,
    LimitsConfig,
    LogConfig,
    ManifestConfig,
    PricesConfig,
    QencodeService,
    QueueConfig,
    RetryConfig,
    Section,
    ServeConfig,
    ServiceConfig,
    TranscoderService,
    UploadConfig,
    WindowConfig,
)

FILE_NAME = "config.toml"
BUILT_IN = "built-in defaults"
_PREFIX = "ORCHESTRATOR_"
#: Always there, so that a config names only what differs.
_BUILT_IN_SERVICES: Mapping[str, Any] = {
    "local": {"kind": "transcoder"},
    "qencode": {"kind": "qencode"},
    "edge": {"kind": "transparent_edge"},
}


class ConfigError(BadInput):
    """Raised when the settings can't be used; ``problems`` says where and why."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def _with_built_ins(named: object) -> object:
    """The services that always exist, under whatever the settings say of them."""
    if not isinstance(named, dict):
        return named
    services = dict(named)
    for name, kind in _BUILT_IN_SERVICES.items():
        if isinstance(services.get(name, {}), dict):
            services[name] = {**kind, **services.get(name, {})}
    return services


class Config(BaseSettings):
    """Every setting, checked. ``origin`` says which file they came from."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
    )

    state: Path = Field(
        Path(".orchestrator"), description="Folder of ledgers, logs and the local service's data."
    )
    default_service: str = Field(
        "local", description="The service of jobs that name none; a name under [services]."
    )
    services: Annotated[dict[str, ServiceConfig], BeforeValidator(_with_built_ins)] = Field(
        default_factory=dict, description="The services that jobs can name."
    )
    ledger: LedgerConfig = LedgerConfig()
    limits: LimitsConfig = LimitsConfig()
    queue: QueueConfig = QueueConfig()
    upload: UploadConfig = UploadConfig()
    collect: CollectConfig = CollectConfig()
    retry: RetryConfig = RetryConfig()
    manifest: ManifestConfig = ManifestConfig()
    window: WindowConfig = WindowConfig()
    budget: BudgetConfig = BudgetConfig()
    prices: PricesConfig = PricesConfig()
    breaker: BreakerConfig = BreakerConfig()
    log: LogConfig = LogConfig()
    serve: ServeConfig = ServeConfig()

    _file: Path | None = PrivateAttr(None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment is stronger than the file, whose values come by ``__init__``."""
        return env_settings, init_settings

    @property
    def origin(self) -> str:
        """Where these settings were read: a file's path, or ``built-in defaults``."""
        return str(self._file) if self._file else BUILT_IN

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self._file.parent if self._file else Path.cwd()

    def rooted(self, file: Path | None) -> Self:
        """These settings as read from ``file``, every path absolute."""
        rooted = self.model_copy()
        rooted._file = file  # noqa: SLF001
        state = rooted.folder / self.state.expanduser()
        sections = {name: _rooted(value, rooted.folder, state) for name, value in self}
        return rooted.model_copy(update=sections | {"state": state})

    def service(self, name: str | None = None) -> AnyService:
        """The settings of a service, by default the default one's.

        Raises ``BadInput`` with the nearest name where there is none.
        """
        wanted = name or self.default_service
        if wanted in self.services:
            return self.services[wanted]
        raise ConfigError([_unknown_service(wanted, self.services, self.origin, "service")])

    def ledger_url(self, job: str) -> str:
        """The SQLAlchemy URL of a job's ledger; SQLite paths come out absolute."""
        url = self.ledger.url.replace("{state}", str(self.state)).replace("{job}", job)
        scheme, slashes, path = url.partition(":///")
        if not slashes or not scheme.startswith("sqlite") or path in ("", ":memory:"):
            return url
        return f"{scheme}:///{self.folder / Path(path).expanduser()}"

    def log_file(self, job: str) -> Path:
        """Where the log of a job's runs goes."""
        return Path(str(self.log.file).replace("{job}", job))

    def secret(self, text: str) -> str:
        """``text`` with every ``${env:NAME}`` replaced by the variable's value.

        Raises ``BadInput`` naming the variable when it is not set.
        """
        return str(resolve_secrets(text, os.environ))


def _rooted(value: Any, folder: Path, state: Path) -> Any:
    if isinstance(value, Path):
        return folder / Path(str(value).replace("{state}", str(state))).expanduser()
    if isinstance(value, BaseModel):
        return value.model_copy(update={n: _rooted(v, folder, state) for n, v in value})
    if isinstance(value, dict):
        return {n: _rooted(v, folder, state) for n, v in value.items()}
    if isinstance(value, tuple):
        return tuple(_rooted(v, folder, state) for v in value)
    return value


# --- reading ------------------------------------------------------------------------------


def load_config(path: Path | None = None) -> Config:
    """Read the settings: from ``path``, else from the nearest ``config.toml``.

    The nearest one is in the current folder or in the closest folder above it;
    where there is none, the built-in defaults are used. Raises ``ConfigError``
    (a ``BadInput``) with every problem's file, line and field.
    """
    file = _found(path)
    text = _text(file) if file else ""
    doc = _parsed(text, file)
    stray = list(_stray_variables())
    if stray:
        raise ConfigError(stray)
    try:
        config = Config(**doc)
    except ValidationError as error:
        raise ConfigError(_problems(error, text, file)) from None
    except SettingsError as error:
        raise ConfigError([Problem("environment", str(error))]) from None
    if config.default_service not in config.services:
        where, line = _where(("default_service",), text, file)
        problem = _unknown_service(
            config.default_service, config.services, where, "default_service"
        )
        raise ConfigError([Problem(where, problem.message, problem.hint, line, problem.field)])
    return config.rooted(file)


def _found(path: Path | None) -> Path | None:
    if path is not None:
        return path.expanduser().absolute()
    here = Path.cwd()
    near = (folder / FILE_NAME for folder in (here, *here.parents))
    return next((file for file in near if file.is_file()), None)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        problem = Problem(str(file), "there is no such config file")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(str(file), f"can't be read: {error}")
    raise ConfigError([problem])


def _parsed(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = int(found[1]) if (found := re.search(r"line (\d+)", str(error))) else 0
        raise ConfigError([Problem(str(file), f"is not valid TOML: {error}", line=line)]) from None


def _stray_variables() -> Iterator[Problem]:
    """Variables that look like settings and set nothing: a typing error, most likely."""
    for name in os.environ:
        if not name.upper().startswith(_PREFIX) or "__" not in name:
            continue
        section = name[len(_PREFIX) :].split("__")[0].lower()
        if section not in Config.model_fields:
            message = f"there is no section {section!r}"
            yield Problem(
                "environment", message, _nearest(section, Config.model_fields), field=name
            )


# --- saying what is wrong --------------------------------------------------------------------


def _problems(error: ValidationError, text: str, file: Path | None) -> Iterator[Problem]:
    for found in error.errors(include_url=False, include_input=False):
        path = _settings_path(found["loc"])
        where, line = _where(path, text, file)
        message, hint = _words(found["type"], found["msg"], path)
        yield Problem(where, message, hint, line, ".".join(path))


def _settings_path(loc: tuple[int | str, ...]) -> tuple[str, ...]:
    """A location as the file spells it: pydantic puts the ``kind`` in as well."""
    path = tuple(str(part) for part in loc if not isinstance(part, int))
    tagged = len(path) > 2 and path[0] == "services" and path[2] in _kinds()
    return path[:2] + path[3:] if tagged else path


def _kinds() -> dict[str, type[BaseModel]]:
    return {
        "transcoder": TranscoderService,
        "qencode": QencodeService,
        "transparent_edge": EdgeService,
    }


def _where(path: tuple[str, ...], text: str, file: Path | None) -> tuple[str, int]:
    """The file and line that a setting came from, or the variable that did set it."""
    for end in range(len(path), 0, -1):
        variable = _PREFIX + "__".join(path[:end]).upper()
        if any(name.upper() == variable for name in os.environ):
            return f"environment variable {variable}", 0
    return (str(file), line_of(lines_of(text), ".".join(path))) if file else (BUILT_IN, 0)


def _words(kind: str, message: str, path: tuple[str, ...]) -> tuple[str, str]:
    """A pydantic error in plain words, and what to do about it."""
    if kind == "extra_forbidden":
        return "there is no such setting", _nearest(path[-1], _siblings(path))
    if kind.startswith("union_tag"):
        kinds = ", ".join(_kinds())
        return "the kind of a service is missing or unknown", f"kind is one of: {kinds}"
    plain = message.removeprefix("Value error, ").replace("Input should be", "must be")
    return plain[:1].lower() + plain[1:], ""


def _siblings(path: tuple[str, ...]) -> Iterable[str]:
    """The names that could have stood where the last part of ``path`` does."""
    if len(path) == 1:
        return Config.model_fields
    if path[0] == "services":
        return {name for model in _kinds().values() for name in model.model_fields}
    section = Config.model_fields[path[0]].annotation
    return section.model_fields if isinstance(section, type(Section)) else ()


def _unknown_service(name: str, known: Iterable[str], where: str, field: str) -> Problem:
    return Problem(where, f"there is no service {name!r}", _nearest(name, known), field=field)


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    return nearest(name, names) or ("known: " + ", ".join(names) if names else "")
