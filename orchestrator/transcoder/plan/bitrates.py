"""The bitrates that encoders of sound can make; asked for others, some of them fail."""

from typing import Final

from orchestrator.transcoder.ports import MediaError

#: libvorbis: up to which sample rate (Hz), and kbit/s for each channel of stereo
#: and of anything else. Found by trying; its own tables are in ``lib/modes``.
_VORBIS: Final = (
    (9_000, (6, 42), (8, 40)),
    (15_000, (8, 48), (12, 50)),
    (19_000, (12, 86), (16, 90)),
    (26_000, (15, 86), (16, 90)),
    (40_000, (18, 190), (30, 190)),
    (50_000, (23, 240), (32, 240)),
)
#: The same for 5.1 from 40 kHz on.
_VORBIS_SURROUND: Final = (14, 240)
#: libopus, kbit/s for each channel.
_OPUS: Final = 256
#: An AAC frame of 1,024 samples has at most 6,144 bits a channel (ISO/IEC 14496-3, 4.5.3).
_AAC_BITS: Final = 6


def nearest_bitrate(codec: str, asked: int, rate: int, channels: int) -> int:
    """What the encoder can make that is nearest to ``asked``, in kbit/s.

    ``rate`` is in Hz. Raises ``MediaError`` where it can aim at no bitrate at all.
    """
    match codec:
        case "libvorbis":
            lowest, highest = _vorbis(rate, channels)
            return min(max(asked, lowest * channels), highest * channels)
        case "libopus":
            return min(asked, _OPUS * channels)
        case "aac" | "libfdk_aac":
            return min(asked, _AAC_BITS * rate * channels // 1000)
        case _:
            return asked


def _vorbis(rate: int, channels: int) -> tuple[int, int]:
    for highest, stereo, others in _VORBIS:
        if rate <= highest:
            surround = channels == 6 and rate > 40_000
            return stereo if channels == 2 else _VORBIS_SURROUND if surround else others
    raise MediaError(
        f"audio_sample_rate {rate} is more than libvorbis has bitrates for: "
        "ask for 48000 or less, or for libopus"
    )
