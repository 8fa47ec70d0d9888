"""The sound of outputs: measured in what comes out, channel by channel."""

import math
from pathlib import Path

import pytest

from orchestrator.query import parse_query
from orchestrator.transcoder.plan import Means, material
from orchestrator.transcoder.plan.bitrates import nearest_bitrate
from orchestrator.transcoder.plan.context import Context
from orchestrator.transcoder.plan.sound import sound_tracks
from orchestrator.transcoder.ports import Encoded, MediaError
from orchestrator.transcoder.probe import probe
from tests.media import ffmpeg, loudness, probed, stream, toolchain
from tests.sample import sampled
from tests.transcoder.encodes import encode, inputs, only

SECONDS = 1.0
LEVEL = 0.2
#: One tone for each channel. All fit a whole number of times into what is measured.
HERTZ = (200, 360, 520, 680, 840, 1000)
_RATE, _FIRST, _COUNT = 16000, 3200, 8000

MP4 = {"output": "mp4", "video_codec": "libx264", "size": "64x64", "audio_bitrate": 192}
MP3 = {"output": "mp3", "audio_bitrate": 192, "audio_sample_rate": 48000}
FLAC = {"output": "flac", "audio_sample_rate": 48000}


def tones(path: Path, layout: str, *levels: float, options: tuple[str, ...] = ()) -> Path:
    """A tiny clip whose sound has a tone of its own in each channel, stored without loss."""
    waves = "|".join(f"{level}*sin({HERTZ[n]}*2*PI*t)" for n, level in enumerate(levels))
    sound = f"aevalsrc={waves}:c={layout}:s=48000:d={SECONDS}"
    picture = f"color=c=gray:s=64x64:r=25:d={SECONDS}"
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "pcm_s16le")
    ffmpeg("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, *codec, *options, path)
    return path


def heard(path: Path, track: int = 0) -> list[dict[int, float]]:
    """The tones in each channel of a file's sound, with their amplitudes from 0.01 up."""
    channels = probed(path)["streams"]
    count = [each for each in channels if each["codec_type"] == "audio"][track]["channels"]
    data = ffmpeg("-i", path, "-map", f"0:a:{track}", "-ar", str(_RATE), "-f", "f32le", "-")
    samples = memoryview(data).cast("f")
    found = []
    for channel in range(count):
        own = samples[channel::count][_FIRST : _FIRST + _COUNT].tolist()
        levels = {hertz: _amplitude(own, hertz) for hertz in HERTZ}
        found.append({hertz: level for hertz, level in levels.items() if level >= 0.01})
    return found


def _amplitude(samples: list[float], hertz: int) -> float:
    turn = 2 * math.pi * hertz / _RATE
    real = sum(sample * math.cos(turn * n) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(turn * n) for n, sample in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


def near(**channels: float) -> dict[int, float]:
    """Tones and levels, by the source's channel: ``near(c0=0.2)``."""
    return {HERTZ[int(name[1:])]: pytest.approx(level, rel=0.1) for name, level in channels.items()}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sounds")


@pytest.fixture(scope="module")
def surround(clips: Path) -> Path:
    """5.1: front left, front right, centre, deep effects, back left, back right."""
    return tones(clips / "surround.mkv", "5.1", *[LEVEL] * 6)


@pytest.fixture(scope="module")
def stereo(clips: Path) -> Path:
    return tones(clips / "stereo.mkv", "stereo", LEVEL, LEVEL)


@pytest.fixture(scope="module")
def mono(clips: Path) -> Path:
    return tones(clips / "mono.mkv", "mono", LEVEL)


def words(made: Encoded) -> list[str]:
    return [each.message for each in made.warnings]


# --- codecs ------------------------------------------------------------------


@pytest.mark.attribute(
    "format[].audio_codec", "format[].audio_sample_rate", "format[].audio_bitrate"
)
@pytest.mark.slow
async def test_every_codec_sounds_like_the_source(stereo, tmp_path):
    small = {"video_codec": "libvpx", "size": "64x64"}
    webm = {"output": "webm", **small, "audio_bitrate": 192, "audio_sample_rate": 48000}
    asked = [
        {**MP4, "audio_codec": "aac", "audio_sample_rate": 32000},
        {**MP4, "audio_codec": "mp3", "audio_sample_rate": 24000, "audio_bitrate": 96},
        {**webm, "audio_codec": "libopus"},
        {**webm, "audio_codec": "libvorbis", "audio_sample_rate": 44100},
        MP3,
        FLAC,
    ]
    outputs = (await encode(stereo, tmp_path, *asked)).outputs
    seen = [stream(each.path, "audio") or {} for each in outputs]
    assert [(each["codec_name"], each["sample_rate"]) for each in seen] == [
        ("aac", "32000"),
        ("mp3", "24000"),
        ("opus", "48000"),
        ("vorbis", "44100"),
        ("mp3", "48000"),
        ("flac", "48000"),
    ]
    for each in outputs:
        assert heard(each.path) == [near(c0=LEVEL), near(c1=LEVEL)], each.tag


@pytest.mark.attribute("format[].audio_bitrate")
async def test_the_bitrate_is_the_files(clips, tmp_path):
    noise = clips / "noise.mkv"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=d=2:r=48000:a=0.3", "-c:a", "pcm_s16le", noise)
    asked = [{"output": "mp3", "audio_bitrate": kbit} for kbit in (64, 256)]
    low, high = (await encode(noise, tmp_path, *asked)).outputs
    assert low.bitrate == pytest.approx(64, rel=0.05)
    assert high.bitrate == pytest.approx(256, rel=0.05)


@pytest.mark.slow
async def test_a_bitrate_that_the_codec_does_not_have_becomes_the_nearest(stereo, tmp_path):
    webm = {"output": "webm", "video_codec": "libvpx", "size": "64x64"}
    asked = [
        {**webm, "audio_codec": "libvorbis", "audio_sample_rate": 44100, "audio_bitrate": 16},
        {**webm, "audio_codec": "libvorbis", "audio_sample_rate": 8000, "audio_bitrate": 500},
        {**webm, "audio_codec": "libopus", "audio_channels_number": 1, "audio_bitrate": 500},
        {**MP4, "audio_bitrate": 1000, "audio_sample_rate": 8000},
    ]
    made = await encode(stereo, tmp_path, *asked)
    told = " ".join(words(made))
    for number, (before, after) in enumerate(((16, 46), (500, 84), (500, 256), (1000, 96))):
        assert f"audio_bitrate {before} can't" in told
        assert f": {after} took its place" in told
        assert heard(made.outputs[number].path)[0]
    fast = {**webm, "audio_codec": "libvorbis", "audio_sample_rate": 96000}
    with pytest.raises(MediaError, match="audio_sample_rate 96000"):
        await encode(stereo, tmp_path, fast)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_libvorbis_makes_every_bitrate_that_it_is_said_to(rate, channels, tmp_path):
    for asked in (8, 1024):
        kbit = nearest_bitrate("libvorbis", asked, rate, channels)
        sound = ("-f", "lavfi", "-i", "anoisesrc=d=0.1", "-ar", str(rate), "-ac", str(channels))
        ffmpeg(*sound, "-c:a", "libvorbis", "-b:a", f"{kbit}k", tmp_path / "made.mkv")


@pytest.mark.attribute("format[].audio_codec")
async def test_libfdk_aac_becomes_aac_and_that_is_said(stereo, tmp_path):
    made = await encode(stereo, tmp_path, {**MP4, "audio_codec": "libfdk_aac"})
    assert (stream(made.outputs[0].path, "audio") or {})["codec_name"] == "aac"
    assert any("libfdk_aac" in word for word in words(made))


@pytest.mark.slow
async def test_flac_keeps_the_sources_depth_and_takes_no_bitrate(clips, stereo, tmp_path):
    deep = tones(clips / "deep.mkv", "stereo", LEVEL, LEVEL, options=("-c:a", "pcm_s24le"))
    lossy = tones(clips / "lossy.mkv", "stereo", LEVEL, LEVEL, options=("-c:a", "aac"))
    for source, bits in ((deep, "24"), (stereo, "16"), (lossy, "16")):
        out = tmp_path / source.stem
        out.mkdir()
        made = await encode(source, out, {**FLAC, "audio_bitrate": 128})
        assert (stream(made.outputs[0].path, "audio") or {})["bits_per_raw_sample"] == bits
        assert any("audio_bitrate" in word for word in words(made))
    assert not words(await encode(stereo, tmp_path, FLAC))


# --- channels ----------------------------------------------------------------


@pytest.mark.attribute("format[].audio_channels_number")
async def test_surround_becomes_stereo_with_the_voices_as_loud_as_before(surround, tmp_path):
    made = await only(surround, tmp_path, FLAC)
    side = LEVEL * math.sqrt(0.5)
    # The centre goes to both sides, each with half of its power.
    assert heard(made.path) == [near(c0=LEVEL, c2=side, c4=side), near(c1=LEVEL, c2=side, c5=side)]


async def test_loud_surround_is_limited_and_not_cut_off(clips, tmp_path):
    loud = tones(clips / "loud.mkv", "5.1", *[0.9] * 6)
    made = await only(loud, tmp_path, FLAC)
    assert 28_000 < loudness(made.path) <= 32_000


@pytest.mark.attribute("format[].audio_channels_number")
async def test_six_channels_stay_where_they_are(surround, tmp_path):
    six = {"audio_channels_number": 6, "audio_bitrate": 384, "audio_sample_rate": 48000}
    webm = {"output": "webm", "video_codec": "libvpx", "size": "64x64", "audio_codec": "libopus"}
    made = await encode(surround, tmp_path, {**MP4, **six}, {**webm, **six}, {**FLAC, **six})
    for each in made.outputs:
        found = stream(each.path, "audio") or {}
        assert (found["channels"], found["channel_layout"]) == (6, "5.1"), each.tag
        for number, channel in enumerate(heard(each.path)):
            if number == 3 and each is not made.outputs[2]:
                # Deep effects: AAC and Opus cut what is above 120 Hz or so.
                continue
            assert channel == near(**{f"c{number}": LEVEL}), (each.tag, number)


@pytest.mark.attribute("format[].audio_channels_number")
async def test_mono_is_on_both_sides_and_stereo_makes_one(mono, stereo, tmp_path):
    both = await only(mono, tmp_path, FLAC)
    assert heard(both.path) == [near(c0=LEVEL), near(c0=LEVEL)]
    one = await only(stereo, tmp_path, {**FLAC, "audio_channels_number": 1})
    assert heard(one.path) == [near(c0=LEVEL / 2, c1=LEVEL / 2)]


@pytest.mark.parametrize("count", sampled([3, 4, 5, 7, 8], 3))
async def test_any_number_of_channels_can_be_had(surround, tmp_path, count):
    asked = {"audio_channels_number": count, "audio_bitrate": 384}
    made = await encode(surround, tmp_path, {**MP4, **asked}, {**FLAC, **asked})
    assert [(stream(e.path, "audio") or {})["channels"] for e in made.outputs] == [count, count]
    # The front is where it was.
    assert [each[HERTZ[n]] > LEVEL / 2 for n, each in enumerate(heard(made.outputs[1].path)[:2])]


async def test_of_sixteen_channels_the_first_are_taken(clips, tmp_path):
    many = clips / "many.mov"
    waves = "|".join(f"{LEVEL}*sin({HERTZ[n % 6]}*2*PI*t)" for n in range(16))
    sound = f"aevalsrc={waves}:s=48000:d=1:c=hexadecagonal"
    ffmpeg("-f", "lavfi", "-i", sound, "-c:a", "pcm_s16le", many)
    made = await only(many, tmp_path, FLAC)
    assert heard(made.path) == [near(c0=LEVEL), near(c1=LEVEL)]


@pytest.mark.attribute("format[].audio_pan")
@pytest.mark.slow
async def test_panned_channels_are_the_sources(surround, stereo, tmp_path):
    # The documents' own example.
    asked = {**FLAC, "audio_pan": {"c0": "c2", "c1": "c0"}}
    made = await only(surround, tmp_path, asked)
    assert heard(made.path) == [near(c2=LEVEL), near(c0=LEVEL)]
    swapped = await only(stereo, tmp_path, {**MP4, "audio_pan": '{"c0": "c1", "c1": "c0"}'})
    assert heard(swapped.path) == [near(c1=LEVEL), near(c0=LEVEL)]


@pytest.mark.attribute("format[].audio_pan")
async def test_a_pan_of_channels_that_are_not_there_is_refused(stereo, mono, tmp_path):
    with pytest.raises(MediaError, match=r"audio_pan takes c2 .* only 2 channels \(c0 to c1\)"):
        await encode(stereo, tmp_path, {**FLAC, "audio_pan": {"c0": "c2", "c1": "c0"}})
    with pytest.raises(MediaError, match=r"audio_pan takes c1 .* only 1 channel \(c0\)"):
        await encode(mono, tmp_path, {**FLAC, "audio_pan": {"c0": "c1"}})


# --- silence, tracks, times --------------------------------------------------


@pytest.mark.attribute("format[].audio_mute")
async def test_silence_is_silent_and_as_long_as_the_source(surround, tmp_path):
    muted = {"audio_mute": 1, "audio_pan": {"c0": "c2", "c1": "c0"}}
    made = await encode(surround, tmp_path, {**MP4, "audio_mute": 1}, {**FLAC, **muted}, FLAC)
    assert [loudness(each.path) > 0 for each in made.outputs] == [False, False, True]
    for each in made.outputs:
        found = stream(each.path, "audio") or {}
        assert float(found["duration"]) == pytest.approx(SECONDS, abs=0.05)


async def test_a_source_without_sound(clips, tmp_path):
    silent = clips / "silent.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=s=64x64:d=0.4", silent)
    assert stream((await only(silent, tmp_path, MP4)).path, "audio") is None
    for asked in (MP3, FLAC, {"output": "hls_audio"}):
        with pytest.raises(MediaError, match="the source has no sound"):
            await encode(silent, tmp_path, asked)


@pytest.fixture(scope="module")
def bilingual(clips: Path, mono: Path, stereo: Path) -> Path:
    """Two tracks, the second one the default."""
    path = clips / "bilingual.mkv"
    ffmpeg(
        *("-i", mono, "-i", stereo, "-map", "0:v", "-map", "0:a", "-map", "1:a", "-c", "copy"),
        *("-metadata:s:a:0", "language=fre", "-metadata:s:a:0", "title=Commentaire"),
        *("-metadata:s:a:1", "language=eng", "-disposition:a:0", "0", "-disposition:a:1"),
        *("default", path),
    )
    return path


async def test_of_several_tracks_the_default_one_is_taken(bilingual, tmp_path):
    made = await only(bilingual, tmp_path, FLAC)
    assert heard(made.path) == [near(c0=LEVEL), near(c1=LEVEL)]


async def test_tracks_tell_their_language_and_title(bilingual):
    given = inputs(bilingual)
    film = material(given, [await probe(toolchain(), bilingual)])
    query = parse_query({"source": "tus:0", "format": [FLAC]})
    first, second = sound_tracks(Context(query, film, Means()))
    assert (first.track, first.channels, first.language, first.default) == (0, 2, "en", True)
    assert (second.track, second.channels, second.language) == (1, 1, "fr")
    assert (second.title, second.default) == ("Commentaire", False)


async def test_sound_that_starts_late_keeps_its_time(clips, mono, tmp_path):
    late = clips / "late.mkv"
    shift = ("-itsoffset", "0.5")
    ffmpeg("-i", mono, *shift, "-i", mono, "-map", "0:v", "-map", "1:a", "-c", "copy", late)
    for asked in (FLAC, {**MP4, "audio_sample_rate": 48000}):
        made = await only(late, tmp_path, asked)
        shape = ("-map", "0:a", "-ac", "1", "-ar", "48000", "-f", "s16le", "-")
        data = ffmpeg("-i", made.path, *shape)
        samples = memoryview(data[: len(data) // 2 * 2]).cast("h")
        first = next(n for n, sample in enumerate(samples) if abs(sample) > 1500)
        assert first / 48000 == pytest.approx(0.5, abs=0.03)


async def test_hardly_any_sound_is_told_in_the_documents_words(clips, stereo, tmp_path):
    hush = clips / "hush.mp4"
    silence = "anullsrc=r=48000:cl=stereo:d=2"
    ffmpeg("-f", "lavfi", "-i", silence, "-c:a", "aac", hush)
    made = await encode(hush, tmp_path, MP3, FLAC)
    told = [each for each in made.warnings if each.message == "Low Audio Bitrate"]
    assert len(told) == 1
    assert "kbit/s" in told[0].details
    assert not words(await encode(stereo, tmp_path, MP3))


@pytest.mark.attribute("format[].audio_mute", "format[].audio_channels_number")
@pytest.mark.slow
async def test_ladders_have_the_sounds_of_their_streams(stereo, tmp_path):
    asked = [
        {"audio_channels_number": 1, "audio_bitrate": 96},
        {"audio_mute": 1, "audio_bitrate": 96},
    ]
    made = await only(stereo, tmp_path, {"output": "hls_audio", "stream": asked})
    one, muted = (made.path / str(each.entry) for each in made.members)
    assert loudness(one) > 2000
    assert loudness(muted) == 0
    assert [each.meta["channels"] for each in made.members] == [1, 2]


@pytest.mark.attribute("stitch")
async def test_stitched_sounds_are_as_loud_as_they_were(surround, mono, tmp_path):
    made = await only(inputs(surround, mono), tmp_path, FLAC)
    side = LEVEL * math.sqrt(0.5)
    assert heard(made.path) == [near(c0=LEVEL, c2=side, c4=side), near(c1=LEVEL, c2=side, c5=side)]
    second = tmp_path / "second.flac"
    ffmpeg("-ss", str(SECONDS), "-i", made.path, second)
    assert heard(second) == [near(c0=LEVEL), near(c0=LEVEL)]


@pytest.mark.attribute("stitch", "format[].audio_pan", "format[].audio_channels_number")
@pytest.mark.slow
async def test_stitched_sources_keep_their_channels(surround, mono, tmp_path):
    film = inputs(mono, surround)
    pan = {**FLAC, "audio_pan": {"c0": "c2", "c1": "c5"}}
    six = {**FLAC, "audio_channels_number": 6}
    panned, whole = (await encode(film, tmp_path, pan, six)).outputs
    for made, first, second in (
        (panned, [{}, {}], [near(c2=LEVEL), near(c5=LEVEL)]),
        (whole, [near(c0=LEVEL)] * 2 + [{}] * 4, [near(**{f"c{n}": LEVEL}) for n in range(6)]),
    ):
        assert heard(made.path) == first
        rest = tmp_path / f"{made.tag}-rest.flac"
        ffmpeg("-ss", str(SECONDS), "-i", made.path, rest)
        assert heard(rest) == second
