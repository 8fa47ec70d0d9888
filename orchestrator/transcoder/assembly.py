"""Outputs for HTTP streaming, put together of their parts as these get ready."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.transcoder.checks import media_meta
from orchestrator.transcoder.packaging import (
    Kind,
    Packaging,
    Rendition,
    Track,
    record,
    write_manifests,
)
from orchestrator.transcoder.plan import Cut, Kept, Package
from orchestrator.transcoder.plan.chain import AUTO, place_digest
from orchestrator.transcoder.ports import Member, Produced
from orchestrator.transcoder.probe import has_captions
from orchestrator.transcoder.streams import Probe
from orchestrator.transcoder.toolchain import Toolchain


class Assembly:
    """One output: its packager, and what it is made of so far.

    ``folder`` is the task's; the parts lie there, the output in a folder of its own.
    """

    def __init__(self, toolchain: Toolchain, first: Package, folder: Path) -> None:
        self._toolchain, self._folder = toolchain, folder
        self._target = folder / first.tag
        self._packaging = Packaging(toolchain, first.packing, self._target)
        self._renditions: list[Rendition] = []
        self._members: list[Member] = []
        self._metas: dict[str, Mapping[str, Any]] = {}
        self._inside: set[str] = set()
        self._captioned = first.captioned
        self._chain = _tag(first)

    async def add(
        self, package: Package, parts: Mapping[str, Probe], done: Callable[[str], None]
    ) -> Produced:
        """Package these parts; the answer is the output with all that it has by now.

        ``parts`` are the probes of the encoded files by tag. A part's file is removed
        as soon as it is packaged, and ``done`` is then told of its tag. Raises
        ``MediaError``.
        """
        for kept in package.kept:
            self._keep(kept)
        for cut in package.cuts:
            await self._look_for_captions(package, cut)
            made = await self._packaging.add(_track(cut, self._folder))
            (self._folder / cut.file).unlink()
            self._renditions.append(made)
            if cut.told:
                self._tell(_member(cut, made, self._meta(media_meta(parts[cut.tag]))), made.rung)
            done(cut.tag)
            if cut.sound is not None:
                self._inside.add(cut.sound)
        if package.last:
            for sound in self._inside:
                (self._folder / sound).unlink()
        self._target.mkdir(exist_ok=True)
        captions = package.packing.captions if self._captioned else ()
        packing = replace(package.packing, captions=captions)
        await write_manifests(self._target, self._renditions, packing)
        return self._output(package)

    async def _look_for_captions(self, package: Package, cut: Cut) -> None:
        """Captions that were to be copied are told of where there are any."""
        if self._captioned is None and package.packing.captions and cut.kind == "video":
            self._captioned = await has_captions(self._toolchain, self._folder / cut.file)

    def _keep(self, kept: Kept) -> None:
        self._renditions.append(kept.made)
        self._packaging.keep(kept.made)
        if kept.tag is not None:
            cut = Cut(kept.tag, kept.made.kind, 0, "", user_tag=kept.user_tag)
            self._tell(_member(cut, kept.made, self._meta(kept.meta)), kept.made.rung)

    def _meta(self, meta: Mapping[str, Any]) -> Mapping[str, Any]:
        """With the tag by which a later job goes on, as the documents show it."""
        return {**meta, "incremental_tag": self._chain} if self._chain else meta

    def _tell(self, member: Member, rung: str) -> None:
        self._members.append(member)
        self._metas[rung] = member.meta

    def _output(self, package: Package) -> Produced:
        lengths = [each.seconds for each in self._renditions]
        size = sum(file.stat().st_size for file in self._target.rglob("*") if file.is_file())
        return Produced(
            tag=package.tag,
            kind=package.kind,
            output=package.asked.output,
            format_index=package.index,
            path=self._target,
            entry=package.asked.playlists[0],
            size=size,
            duration=max(lengths),
            members=tuple(sorted(self._members, key=lambda member: _place(member.tag))),
            facts=self._facts(package) if self._chain else {},
        )

    def _facts(self, package: Package) -> dict[str, Any]:
        """What ``plan.chain`` goes on with."""
        used: dict[Kind, int] = dict(package.used)
        for made in self._renditions:
            used[made.kind] = max(used.get(made.kind, 0), made.number)
        return {
            "incremental_tag": self._chain,
            "place": place_digest(package.asked.destination),
            "renditions": record(self._renditions),
            "metas": self._metas,
            "used": used,
            "captioned": self._captioned,
        }


def _tag(first: Package) -> str | None:
    """The tag of the output's chain; a new one where the client wants to be given one."""
    asked = first.asked.incremental_tag
    return f"{secrets.token_hex(16)}-{first.index}" if asked == AUTO else asked


def _place(tag: str) -> int:
    return int(tag.rpartition("-")[2])


def _track(cut: Cut, folder: Path) -> Track:
    return Track(
        path=folder / cut.file,
        kind=cut.kind,
        number=cut.number,
        sound=folder / cut.sound if cut.sound else None,
        group=cut.group,
        language=cut.language,
        title=cut.title,
        default=cut.default,
        chunklist_name=cut.chunklist_name,
        rung=cut.rung,
        duration=cut.duration,
    )


def _member(cut: Cut, made: Rendition, meta: Mapping[str, Any]) -> Member:
    home = f"{made.folder}/" if made.folder else ""
    return Member(
        tag=cut.tag,
        kind="audio" if cut.kind == "audio" else "video",
        user_tag=cut.user_tag,
        entry=f"{home}{made.playlist}" if made.playlist else None,
        size=sum(segment.size for segment in made.segments),
        duration=made.seconds,
        bitrate=round(made.average / 1000),
        meta=meta,
    )
