"""Where what is copied can begin."""

from orchestrator.query import EncodeQuery, Repack
from orchestrator.transcoder.plan import Material
from orchestrator.transcoder.plan.context import Keyframe
from orchestrator.transcoder.probe import keyframe_before
from orchestrator.transcoder.toolchain import Toolchain


async def keyframes(
    toolchain: Toolchain, query: EncodeQuery, film: Material
) -> dict[float, Keyframe]:
    """For each start of a ``repack`` output (in seconds), the keyframe before it.

    Raises ``MediaError`` where the source can't be read.
    """
    if film.stitched or not film.probe.video:
        return {}
    starts = {each.start_time for each in query.format if isinstance(each, Repack)}
    return {start: await _before(toolchain, film, start) for start in starts if start}


async def _before(toolchain: Toolchain, film: Material, start: float) -> Keyframe:
    path = film.files[0].path
    shown, decoded = await keyframe_before(toolchain, path, film.probe, start, film.look_back)
    # Where there is no index, packets are dropped by when they are decoded.
    return Keyframe(shown, decoded if film.look_back else shown)
