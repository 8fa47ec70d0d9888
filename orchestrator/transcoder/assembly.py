"""Outputs for HTTP streaming, put together of their parts as these get ready."""

from pathlib import Path

from orchestrator.transcoder.checks import media_meta
from orchestrator.transcoder.packaging import (
    Packaging,
    Rendition,
    Track,
    record,
    write_manifests,
)
from orchestrator.transcoder.plan import Cut, Package
from orchestrator.transcoder.ports import Member, Produced
from orchestrator.transcoder.streams import Probe
from orchestrator.transcoder.toolchain import Toolchain


class Assembly:
    """One output: its packager, and what it is made of so far.

    ``folder`` is the task's; the parts lie there, the output in a folder of its own.
    """

    def __init__(self, toolchain: Toolchain, first: Package, folder: Path) -> None:
        self._folder = folder
        self._target = folder / first.tag
        self._packaging = Packaging(toolchain, first.packing, self._target)
        self._renditions: list[Rendition] = []
        self._members: list[Member] = []

    async def add(self, package: Package, parts: dict[str, Probe]) -> Produced:
        """Package these parts; the answer is the output with all that it has by now.

        ``parts`` are the probes of the encoded files by tag. Raises ``MediaError``.
        """
        for cut in package.cuts:
            made = await self._packaging.add(_track(cut, self._folder))
            (self._folder / cut.file).unlink()
            self._renditions.append(made)
            if cut.told:
                self._members.append(_member(cut, made, parts[cut.tag]))
        await write_manifests(self._target, self._renditions, package.packing)
        return self._output(package)

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
            members=tuple(sorted(self._members, key=lambda member: member.tag)),
            facts={"renditions": record(self._renditions)},
        )


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
    )


def _member(cut: Cut, made: Rendition, found: Probe) -> Member:
    home = f"{made.folder}/" if made.folder else ""
    return Member(
        tag=cut.tag,
        kind="audio" if cut.kind == "audio" else "video",
        user_tag=cut.user_tag,
        entry=f"{home}{made.playlist}" if made.playlist else None,
        size=sum(segment.size for segment in made.segments),
        duration=made.seconds,
        bitrate=round(made.average / 1000),
        meta=media_meta(found),
    )
