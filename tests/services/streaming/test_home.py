"""Nothing that an output names leads out of its folder."""

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.model.errors import OutputMissing
from orchestrator.services.streaming import Home, Named

ENTRY = "https://host:81/v1/k%20y/hls/playlist.m3u8?sig=hidden"


@pytest.mark.parametrize(
    ("reference", "path", "url"),
    [
        ("a.ts", "a.ts", "https://host:81/v1/k%20y/hls/a.ts"),
        ("./x/../a.ts", "a.ts", "https://host:81/v1/k%20y/hls/a.ts"),
        (
            "video_1/a%20b.ts?s=1#t",
            "video_1/a b.ts",
            "https://host:81/v1/k%20y/hls/video_1/a%20b.ts?s=1",
        ),
        ("/v1/k%20y/hls/b.ts", "b.ts", "https://host:81/v1/k%20y/hls/b.ts"),
        ("https://HOST:81/v1/k%20y/hls/b.ts", "b.ts", "https://HOST:81/v1/k%20y/hls/b.ts"),
        ("../hls/b.ts", "b.ts", "https://host:81/v1/k%20y/hls/b.ts"),
    ],
)
def test_what_is_inside(reference: str, path: str, url: str) -> None:
    home = Home(ENTRY)
    assert home.named(reference, home.entry) == Named(url, PurePosixPath(path))


@pytest.mark.parametrize("scheme", ["ftp", "ftps", "sftp", "s3"])
def test_folders_are_folders_under_every_scheme(scheme: str) -> None:
    home = Home(f"{scheme}://host:81/films/hls/master.m3u8")
    low = home.named("low/list.m3u8", home.entry)
    assert low == Named(
        f"{scheme}://host:81/films/hls/low/list.m3u8", PurePosixPath("low/list.m3u8")
    )
    assert home.named("../a.ts", low).path == PurePosixPath("a.ts")
    for outside in (
        "../../a.ts",
        "/a.ts",
        "//host:82/films/hls/a.ts",
        "http://host:81/films/hls/a",
    ):
        with pytest.raises(OutputMissing):
            home.named(outside, low)


OUTSIDE = [
    "../a.ts",
    "../../../../etc/passwd",
    "/a.ts",
    "/v1/k%20y/hlsx/a.ts",
    "//other/v1/k%20y/hls/a.ts",
    "http://host:81/v1/k%20y/hls/a.ts",
    "https://host:82/v1/k%20y/hls/a.ts",
    "https://user@host:81/v1/k%20y/hls/a.ts",
    "file:///etc/passwd",
    "data:text/plain,x",
    "skd://key",
    "%2e%2e/a.ts",
    "a/%2E%2E/%2e%2e/a.ts",
    "a%2fb.ts",
    "a\\b.ts",
    "a%00b.ts",
    "a%0ab.ts",
    ".a.ts.part",
    "sub/",
    "https://[broken/a.ts",
]


@pytest.mark.parametrize("reference", OUTSIDE)
def test_what_is_outside(reference: str) -> None:
    home = Home(ENTRY)
    with pytest.raises(OutputMissing, match="outside its own folder") as failed:
        home.named(reference, home.entry)
    assert "hidden" not in str(failed.value)


def test_relative_to_the_playlist_that_names_it() -> None:
    home = Home(ENTRY)
    media = home.named("video_1/chunklist.m3u8", home.entry)
    assert home.named("s.ts", media).path == PurePosixPath("video_1/s.ts")
    assert home.named("../audio/s.ts", media).path == PurePosixPath("audio/s.ts")
    with pytest.raises(OutputMissing):
        home.named("../../s.ts", media)


def test_without_a_host_the_path_decides() -> None:
    home = Home("/v1/d/playlist.m3u8")
    assert str(home.named("http://any/v1/d/a.ts", home.entry).path) == "a.ts"
    for reference in ("http://any/v2/d/a.ts", "file:///v1/d/a.ts", "../a.ts"):
        with pytest.raises(OutputMissing):
            home.named(reference, home.entry)


def test_beside_it_by_name() -> None:
    home = Home(ENTRY)
    assert str(home.beside("50%.m3u8").path) == "50%.m3u8"
    with pytest.raises(OutputMissing):
        home.beside("../x.m3u8")
    with pytest.raises(OutputMissing, match="ends in no file's name"):
        Home("https://host/folder/")


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["..", "%2e", "/", "\\", "a", ".", ":", "//h"])).map("".join)
)
def test_nothing_ever_leaves(reference: str) -> None:
    home = Home(ENTRY)
    try:
        found = home.named(reference, home.entry)
    except OutputMissing:
        return
    assert not found.path.is_absolute()
    assert ".." not in found.path.parts
    assert found.path.parts
