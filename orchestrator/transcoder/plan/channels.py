"""How many channels become fewer or more, in ffmpeg's words.

ffmpeg's own mixing depends on sample formats: as floating point it clips what
it adds up, as integers it turns everything down. Here a voice in the centre
is as loud after mixing as it was before, and a limiter takes off what is too
much.
"""

from collections.abc import Mapping

from orchestrator.transcoder.streams import AudioStream

#: The layout of so many channels, in ffmpeg's words: what Opus and Vorbis have
#: for them (RFC 7845, 5.1.1.2), which AAC and FLAC can hold too.
LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "3.0",
    4: "quad",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}

#: With more, no layout says which channel is where.
_MOST = max(LAYOUTS)

#: Sums stay as they are (no turning down), and peaks end here, of 1.
_LIMITED = "alimiter=limit=0.97:level=disabled:latency=1"


def mixed(source: AudioStream, count: int) -> str:
    """The filters from a source's channels to ``count`` (1 to 8) of the usual layout.

    Mono is put on both sides of stereo. Of a source with so many channels that
    nobody knows their places, the first ones are taken.
    """
    target = LAYOUTS[count]
    if source.channels > _MOST:
        return routed({f"c{number}": f"c{number}" for number in range(count)})
    if source.channels == 1 and count == 2:
        return "pan=stereo|c0=c0|c1=c0"
    if source.channels == 2 and count == 1:
        return "pan=mono|c0=0.5*c0+0.5*c1"
    if count == 1 and source.channels > 2:
        return f"{_down('stereo')},pan=mono|c0=0.5*c0+0.5*c1"
    if count < source.channels:
        return _down(target)
    return f"aformat=channel_layouts={target}"


def routed(mapping: Mapping[str, str]) -> str:
    """The filter that gives each channel one of the source's, ``{"c0": "c2", "c1": "c0"}``."""
    ways = "|".join(f"{ours}={theirs}" for ours, theirs in mapping.items())
    return f"pan={LAYOUTS[len(mapping)]}|{ways}"


def _down(target: str) -> str:
    """ITU-R BS.775's mix: centre and surround 3 dB lower on each side, no deep effects."""
    return f"aresample=ochl={target}:osf=fltp:rematrix_maxval=1000,{_LIMITED}"
