"""Stored profiles and transfer methods of ``/v1/start_encode``: files that their owner edits.

A profile, ``<id>.json`` or ``<id>.toml``, is one format, a list of them, or a
query without its source (``format`` and what belongs beside it). A transfer
method is a destination whose URL is a folder, or a list of such. Both are read
anew for each start. ``{name}`` in them stands for one of the request's
``output_path_variables``, and ``{task_token}`` for the task; ``${env:NAME}`` for
a secret of the service's environment. ``path`` in a format says where below the
transfer method's folder its output goes.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from orchestrator.model.errors import BadInput
from orchestrator.query import DocumentTemplate, TemplateError, resolve_secrets
from orchestrator.query.check import QueryCheck
from orchestrator.query.destination import StoredFile
from orchestrator.query.outputs import OUTPUTS
from orchestrator.transcoder.answers import ApiError, Code

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
_LARGEST = 1024 * 1024
_ENDINGS = (".json", ".toml")
#: What every profile may name beside the request's own variables.
_TASK = "task_token"

#: The endings of outputs of one file that have none of their own attribute.
_FILE_ENDINGS: Final = {"metadata": "json", "vmaf": "json", "thumbnail": "png", "repack": "mp4"}


class BadProfile(BadInput):
    """Raised when a file of a profile or transfer method can't be used."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile as it is stored: its formats, and what stands beside them in a query."""

    id: str
    file: Path
    formats: tuple[Mapping[str, Any], ...]
    beside: Mapping[str, Any]

    @property
    def variables(self) -> tuple[str, ...]:
        """The names that it has placeholders for."""
        return DocumentTemplate([*self.formats, self.beside]).names

    def problems(self) -> tuple[str, ...]:
        """What is wrong with it whatever its variables are."""
        bare = [
            {name: value for name, value in each.items() if name != "path"} for each in self.formats
        ]
        try:
            found = QueryCheck({**self.beside, "format": bare}, self.file.name).with_samples()
        except TemplateError as error:
            return (str(error),)
        return tuple(map(str, found))


class Profiles:
    """Reads both kinds of files."""

    def __init__(self, profiles: Path, transfers: Path) -> None:
        self._profiles, self._transfers = profiles, transfers

    def listed(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The ids of all profiles, and of all transfer methods."""
        return _ids(self._profiles), _ids(self._transfers)

    def profile(self, id_: str) -> Profile:
        """One profile. Raises ``LookupError`` where there is none, ``BadProfile``."""
        file, content = _read(self._profiles, id_)
        beside: dict[str, Any] = {}
        if isinstance(content, Mapping) and "format" in content:
            beside = {name: value for name, value in content.items() if name != "format"}
            content = content["format"]
        formats = content if isinstance(content, list) else [content]
        if not formats or not all(isinstance(each, Mapping) for each in formats):
            raise BadProfile(f"{file.name} is neither a format nor a list of formats")
        for wrong in ("source", "stitch"):
            if wrong in beside:
                raise BadProfile(f"{file.name}: {wrong} belongs to the request, not to a profile")
        return Profile(id_, file, tuple(formats), beside)

    def transfer(self, id_: str) -> tuple[Mapping[str, Any], ...]:
        """The destinations of a transfer method. Raises as ``profile`` does."""
        file, content = _read(self._transfers, id_)
        places = content.get("destination", content) if isinstance(content, Mapping) else content
        places = places if isinstance(places, list) else [places]
        if not places or not all(isinstance(each, Mapping) and each.get("url") for each in places):
            raise BadProfile(f"{file.name} is no destination with a url, and no list of those")
        return tuple(places)

    def query(
        self,
        ids: Sequence[str],
        transfer: str | None,
        variables: Mapping[str, str],
        task: str,
    ) -> tuple[dict[str, Any], list[str]]:
        """The query of several profiles, without its source; and each format's profile.

        Blocks. Raises ``ApiError``: 11 for a profile that can't be used, 12 for
        one that is not there.
        """
        formats: list[dict[str, Any]] = []
        owners: list[str] = []
        beside: dict[str, Any] = {}
        places = self._asked_transfer(transfer)
        for id_ in ids:
            profile = self._asked_profile(id_)
            for name, value in profile.beside.items():
                if beside.setdefault(name, value) != value:
                    told = f"profiles: {id_} says another {name} than the profiles before it"
                    raise ApiError(Code.BAD_PROFILE, told, field="profiles")
            for number, each in enumerate(profile.formats):
                formats.append(_placed(each, places, f"{id_}-{number}" if number else id_))
                owners.append(id_)
        return _filled({**beside, "format": formats}, variables, task), owners

    def _asked_profile(self, id_: str) -> Profile:
        if not _ID.fullmatch(id_):
            told = "profiles must be ids with commas between them"
            raise ApiError(Code.BAD_PROFILE, told, field="profiles")
        try:
            return self.profile(id_)
        except LookupError:
            told = f"profiles: there is no profile {id_}"
            raise ApiError(Code.PROFILE_NOT_FOUND, told, field="profiles") from None
        except BadProfile as error:
            raise ApiError(Code.BAD_PROFILE, f"profiles: {error}", field="profiles") from error

    def _asked_transfer(self, id_: str | None) -> tuple[Mapping[str, Any], ...]:
        if id_ is None:
            return ()
        field = "transfer_method"
        try:
            return self.transfer(id_)
        except LookupError:
            told = f"{field}: there is no transfer method of that id"
            raise ApiError(Code.BAD_QUERY, told, field=field) from None
        except BadProfile as error:
            raise ApiError(Code.BAD_QUERY, f"{field}: {error}", field=field) from error


def _ids(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        return ()
    files = (file for file in folder.iterdir() if file.suffix in _ENDINGS and file.is_file())
    return tuple(sorted({file.stem for file in files if _ID.fullmatch(file.stem)}))


def _read(folder: Path, id_: str) -> tuple[Path, Any]:
    """Raises ``LookupError``, ``BadProfile``."""
    found = [folder / f"{id_}{ending}" for ending in _ENDINGS if _ID.fullmatch(id_)]
    file = next((each for each in found if each.is_file()), None)
    if file is None:
        raise LookupError(id_)
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise BadProfile(f"{file.name} is larger than {_LARGEST >> 20} MiB")
        return file, orjson.loads(data) if file.suffix == ".json" else _toml(data)
    except OSError as error:
        raise BadProfile(f"{file.name} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise BadProfile(f"{file.name} is no {file.suffix[1:].upper()}: {error}") from error


def _toml(data: bytes) -> Any:
    return tomllib.loads(data.decode())


def _placed(
    asked: Mapping[str, Any], places: Sequence[Mapping[str, Any]], name: str
) -> dict[str, Any]:
    """A format with the transfer method's destinations, unless it has its own."""
    wanted = {key: value for key, value in asked.items() if key != "path"}
    if not places or wanted.get("destination"):
        return wanted
    path = str(asked.get("path") or _usual_path(wanted, name)).lstrip("/")
    wanted["destination"] = [
        {**each, "url": f"{str(each['url']).rstrip('/')}/{path}"} for each in places
    ]
    return wanted


def _usual_path(wanted: Mapping[str, Any], name: str) -> str:
    """A folder for each task; in it a file, or a folder, for each format."""
    output = str(wanted.get("output"))
    base = f"{{{_TASK}}}/{name}"
    model = OUTPUTS.get(output)
    if model is None or not issubclass(model, StoredFile):
        return base
    own = wanted.get("file_extension") or wanted.get("image_format")
    return f"{base}.{own or _FILE_ENDINGS.get(output, output)}"


def _filled(query: Mapping[str, Any], variables: Mapping[str, str], task: str) -> dict[str, Any]:
    try:
        template = DocumentTemplate(query, "query")
        filled = template.render({_TASK: task, **variables})
        return dict(resolve_secrets(filled, os.environ))
    except TemplateError as error:
        if error.name:
            told = f"output_path_variables: the profile needs {error.name}, which is not given"
            raise ApiError(Code.FIELD_REQUIRED, told, field="output_path_variables") from error
        raise ApiError(Code.BAD_PROFILE, f"profiles: {error}", field="profiles") from error
    except BadInput as error:
        raise ApiError(Code.BAD_PROFILE, f"profiles: {error}", field="profiles") from error
