"""``post_process.drm``: Common Encryption of an mp4 (ISO/IEC 23001-7), in all its four schemes."""

import asyncio
import contextlib
import os
import shutil
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from orchestrator.model.items import Problem
from orchestrator.query import CencDrm, QueryError
from orchestrator.query.order import Drm
from orchestrator.transcoder.edge.fragments import joined
from orchestrator.transcoder.packaging.packager import Packager
from orchestrator.transcoder.ports import MediaError, Produced
from orchestrator.transcoder.probe import probe
from orchestrator.transcoder.toolchain import Toolchain

#: Seconds that one run of the packager may take.
_LIMIT: Final = 3600.0
_IN: Final = "in.mp4"


def pssh_of(drm: Drm) -> bytes:
    """The boxes that an order gives, in base64 or hexadecimal; none is no byte.

    Raises ``QueryError``.
    """
    if not drm.pssh:
        return b""
    text = drm.pssh
    with contextlib.suppress(ValueError):  # then it is base64
        text = b64encode(bytes.fromhex(text)).decode()
    try:
        given = {"key": drm.key, "key_id": drm.key_id, "pssh": text}
        return CencDrm.model_validate(given).pssh_boxes
    except ValidationError:
        hint = "send the box that your key service gave, in base64 or hexadecimal"
        field = "order.post_process[0].drm.pssh"
        raise QueryError([Problem("order", "is no PSSH", hint, field=field)]) from None


async def protected(toolchain: Toolchain, made: Produced, drm: Drm) -> Produced:
    """An mp4 encrypted, in its place; all its streams in one file. Raises ``MediaError``."""
    work = made.path.with_name(f"{made.tag}-drm")
    found = await probe(toolchain, made.path)
    kinds = [kind for kind, has in (("video", found.video), ("audio", found.audio)) if has]
    try:
        await asyncio.to_thread(_prepare, work, made.path)
        packager, flags = Packager(toolchain.packager, _LIMIT), _flags(drm)
        for kind in kinds:
            await packager.run(work, f"in={_IN},stream={kind},output={kind}.mp4", flags)
        parts = [work / f"{kind}.mp4" for kind in kinds]
        whole = work / "whole.mp4"
        await asyncio.to_thread(joined, parts, whole)
        await asyncio.to_thread(whole.replace, made.path)
    except OSError as error:
        raise MediaError(f"{made.tag}: drm: {error.strerror or 'a file error'}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    size = (await asyncio.to_thread(made.path.stat)).st_size
    return replace(made, size=size)


def _prepare(work: Path, film: Path) -> None:
    work.mkdir(mode=0o700)
    os.link(film, work / _IN)


def _flags(drm: Drm) -> dict[str, str | None]:
    key = f"label=:key_id={drm.key_id}:key={drm.key.get_secret_value()}"
    if drm.key_iv:
        # Eight bytes are what counters start at (ISO/IEC 23001-7, 9.1): all 16 are taken too.
        key += f":iv={drm.key_iv}"
    flags: dict[str, str | None] = {
        "enable_raw_key_encryption": None,
        "keys": key,
        "protection_scheme": drm.encryption_scheme,
        "clear_lead": "0",
    }
    if boxes := pssh_of(drm):
        flags["pssh"] = boxes.hex()
    return flags
