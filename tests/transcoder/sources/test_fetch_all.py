"""Everything that a query reads: sources, stitch lists, and the files of outputs."""

import asyncio

import pytest
from aiohttp import web
from pydantic import BaseModel

from orchestrator.query import parse_query
from orchestrator.transcoder.answers import ApiError
from orchestrator.transcoder.ports import MediaError
from orchestrator.transcoder.sources.named import Named, _within, assets_in, sources_in
from tests.transcoder.sources.servers import FILM, serving

MP4 = [{"output": "mp4"}]


def stitched(*parts):
    return parse_query({"stitch": list(parts), "format": MP4})


class Shelf:
    """A server of many files that counts who asks for which, and how many at a time."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = self.most = 0

    async def __call__(self, request):
        self.asked.append(request.path)
        self.now += 1
        self.most = max(self.most, self.now)
        if request.path == "/none":
            raise web.HTTPNotFound
        await asyncio.sleep(0)
        self.now -= 1
        return web.Response(body=request.path.encode() * 1000)


@pytest.mark.attribute("format[].allow_soft_fail")
async def test_what_only_an_output_needs_that_may_fail_is_lost_alone(sources, folder):
    shelf = Shelf()
    async with serving(shelf) as address:
        logo = {"source": f"http://{address}/none"}
        soft = {"output": "mp4", "logo": logo, "allow_soft_fail": 1}
        source = f"http://{address}/1.mp4"
        query = parse_query({"source": source, "format": [soft, soft, *MP4]})
        inputs = await sources.fetch_all("task", query, folder)
        hard = parse_query({"source": source, "format": [soft, {"output": "mp4", "logo": logo}]})
        (folder / "again").mkdir()
        with pytest.raises(MediaError, match="can't be downloaded"):
            await sources.fetch_all("task", hard, folder / "again")
    assert inputs.sources[0].path.read_bytes() == b"/1.mp4" * 1000
    assert inputs.assets == {}
    why = "query.format[0].logo[0].source: can't be downloaded: it is not there (HTTP 404)"
    assert inputs.lost == {logo["source"]: why}


@pytest.mark.attribute("stitch")
async def test_a_stitch_list_is_fetched_in_order_and_each_url_once(sources, folder):
    shelf, told = Shelf(), []
    async with serving(shelf) as address:
        one, two = f"http://{address}/1.mp4", f"http://{address}/2.mp4"
        query = stitched({"url": one, "start_time": 1, "duration": 2}, two, one)
        inputs = await sources.fetch_all(
            "task", query, folder, lambda done, total: told.append((done, total))
        )
    assert [(each.start, each.duration) for each in inputs.sources] == [
        (1.0, 2.0),
        (0.0, None),
        (0.0, None),
    ]
    assert inputs.sources[0].path == inputs.sources[2].path
    assert inputs.sources[1].path.read_bytes() == b"/2.mp4" * 1000
    assert sorted(shelf.asked) == ["/1.mp4", "/2.mp4"]
    assert sorted(each.name for each in folder.iterdir()) == ["input-0", "input-1"]
    assert told[-1] == (12000, 12000)
    assert told == sorted(told, key=lambda news: news[0])


async def test_not_too_many_at_a_time(sources, folder):
    shelf = Shelf()
    async with serving(shelf) as address:
        query = stitched(*(f"http://{address}/{number}.mp4" for number in range(30)))
        inputs = await sources.fetch_all("task", query, folder)
    assert len(inputs.sources) == 30
    assert shelf.most <= 4


async def test_the_part_that_fails_is_named(sources, folder):
    async with serving(Shelf()) as address:
        query = stitched(f"http://{address}/1.mp4", f"http://{address}/none?secret")
        with pytest.raises(MediaError, match=r"query\.stitch\[1\]\.url: can't .*404") as caught:
            await sources.fetch_all("task", query, folder)
    assert "secret" not in str(caught.value)


@pytest.mark.attribute("source")
async def test_an_upload_is_read_where_it_is(sources, uploads, folder):
    upload = await uploads.add("task", len(FILM))
    uploads.path(upload).write_bytes(FILM)
    query = parse_query({"source": f"tus:{upload.id}", "format": MP4})
    await sources.check("task", query)
    inputs = await sources.fetch_all("task", query, folder)
    assert [each.path for each in inputs.sources] == [uploads.path(upload)]
    with pytest.raises(MediaError, match="no complete upload"):
        await sources.fetch_all("another task", query, folder)


@pytest.mark.parametrize(
    "source",
    [
        "file:///etc/passwd",
        "concat://a",
        "subfile://x",
        "pipe://0",
        "data://text",
        "gopher://host/a",
        "FILE:///etc/passwd",
        "ftp://host/",
        "s3://bucket/film.mp4",
        "http:///film.mp4",
        "http://[::1/film.mp4",
        "tus:../tasks.sqlite",
    ],
)
async def test_what_can_not_be_read_is_refused_at_the_start(sources, folder, source):
    query = stitched("http://example.com/a", source)
    with pytest.raises(ApiError, match=r"query\.stitch\[1\]\.url: ") as caught:
        await sources.check("task", query)
    assert caught.value.answer()["field"] == "query.stitch[1].url"
    with pytest.raises(MediaError):
        await sources.fetch("task", source, folder)


@pytest.mark.parametrize(
    "source", ["concat:/etc/passwd|b", "subfile,,start,0,,:/etc/passwd", "data:text/plain,x", "-i"]
)
def test_what_is_no_url_at_all_is_refused_by_the_query(source):
    with pytest.raises(Exception, match="is not a source"):
        parse_query({"source": source, "format": MP4})


# --- files of outputs --------------------------------------------------------


class _Logo(BaseModel):
    source: str


class _Subtitles(BaseModel):
    sources: tuple[_Logo, ...]


class _Output(BaseModel):
    logo: tuple[_Logo, ...] = ()
    subtitles: _Subtitles | None = None
    distorted: str | None = None


def test_every_file_that_an_output_names_is_found():
    outputs = (
        _Output(logo=(_Logo(source="http://a"), _Logo(source="http://b"))),
        _Output(subtitles=_Subtitles(sources=(_Logo(source="http://c"),)), distorted="http://d"),
    )
    assert list(_within(outputs, "query.format")) == [
        Named("query.format[0].logo[0].source", "http://a", small=True),
        Named("query.format[0].logo[1].source", "http://b", small=True),
        Named("query.format[1].subtitles.sources[0].source", "http://c", small=True),
        Named("query.format[1].distorted", "http://d", small=False),
    ]


def test_a_plain_query_names_its_source_alone():
    query = parse_query({"source": "http://a", "format": MP4})
    assert sources_in(query) == (Named("query.source", "http://a"),)
    assert assets_in(query) == ()


@pytest.mark.attribute("format[].logo.source", "format[].subtitles.sources[].source")
async def test_files_of_outputs_have_names_of_our_own_and_a_limit_of_their_own(
    sources, uploads, folder, monkeypatch
):
    upload = await uploads.add("task", 5001)
    uploads.path(upload).write_bytes(bytes(5001))
    other = await uploads.add("task", 5001)
    uploads.path(other).write_bytes(bytes(5001))
    monkeypatch.setattr("orchestrator.transcoder.sources.fetching._MAX_SMALL", 5000)

    async def fetch(logo, **more):
        output = {"output": "mp4", "logo": [{"source": logo}], **more}
        query = parse_query({"source": f"tus:{upload.id}", "format": [output]})
        await sources.check("task", query)
        return await sources.fetch_all("task", query, folder)

    async with serving(Shelf()) as address:
        logo, text = f"http://{address}/l", f"http://{address}/-i/..%2f..%2f-i.SRT?x"
        with pytest.raises(MediaError, match=r"logo\[0\]\.source: can't .*than the 5000 bytes"):
            await fetch(f"http://{address}/too-long.png")
        with pytest.raises(MediaError, match=r"logo\[0\]\.source: has more than the 5000 bytes"):
            await fetch(f"tus:{other.id}")
        with pytest.raises(ApiError, match=r"query\.format\[0\]\.logo\[0\]\.source: can't read"):
            await fetch("file:///etc/passwd")
        monkeypatch.setattr("orchestrator.transcoder.sources.fetching._MAX_SMALL", 50_000)
        inputs = await fetch(logo, subtitles={"sources": [{"source": text, "language": "en"}]})
    assert [each.path for each in inputs.sources] == [uploads.path(upload)]
    assert {path.parent for path in inputs.assets.values()} == {folder}
    assert sorted(path.name for path in inputs.assets.values()) == ["input-1.srt", "input-2"]
    assert inputs.assets[logo].read_bytes() == b"/l" * 1000
