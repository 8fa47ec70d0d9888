"""Job files: what they say, and what is said of those that can't be used."""

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from orchestrator.model.errors import BadInput
from orchestrator.query import Job, Limits, QueryError, load_job

DEMO = Path(__file__).parents[2] / "jobs" / "demo.toml"

FULL = """\
name = "nightly-1.0"
service = "qencode"
manifest = "lists/*.csv"
payload = '{{"id": "{id}"}}'

[query]
upscale = 1
callback_url = "http://127.0.0.1/{id}"
[[query.format]]
output = "mp4"
height = "{lines}"
size = "{w}x{h}"
framerate = "{fps}"
image_format = "jpg"
tag = "{stem}"
[query.format.destination]
url = "s3://127.0.0.1/{bucket}/{stem}.mp4"
key = "${env:S3_KEY}"
secret = "${env:S3_SECRET}"

[collect]
into = "../out/{parent}/{stem}"

[limits]
uploads = 2
in_flight = 300
""".replace('image_format = "jpg"\n', "")

SMALL = '[[query.format]]\noutput = "mp4"\n'


def write(folder: Path, text: str, name: str = "job.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, text: str, name: str = "job.toml") -> Job:
    return load_job(write(folder, text, name))


def problems(folder: Path, text: str, name: str = "job.toml") -> list[str]:
    """What is said of a job file, without the folder."""
    with pytest.raises(BadInput) as caught:
        load(folder, text, name)
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_everything_a_job_file_can_say(tmp_path: Path) -> None:
    job = load(tmp_path, FULL)
    assert (job.name, job.service) == ("nightly-1.0", "qencode")
    assert job.path == tmp_path / "job.toml"
    assert job.manifest == f"{tmp_path}/lists/*.csv"
    assert job.payload == '{{"id": "{id}"}}'
    assert job.query["format"][0]["destination"]["key"] == "${env:S3_KEY}"
    assert job.limits == Limits(uploads=2, in_flight=300)
    assert job.limits.starts is None
    assert job.collect is not None
    assert job.collect.base == str(tmp_path.parent / "out")
    assert job.collect.folder({"parent": "p", "stem": "s"}) == f"{tmp_path.parent}/out/p/s"


def test_bandwidth_is_a_size_a_second(tmp_path: Path) -> None:
    text = 'manifest = "clips"\n' + SMALL + "[limits]\nbandwidth = "
    assert load(tmp_path, text + '"10MiB"').limits.bandwidth == 10 * 2**20
    assert load(tmp_path, text + "4096").limits.bandwidth == 4096
    for wrong, said in (
        ('"much"', 'is not a size (write bytes per second, such as "10MiB")'),
        ('"0"', "must be at least 1"),
        ("true", "must be a whole number"),
    ):
        assert problems(tmp_path, text + wrong) == [f"job.toml:5: limits.bandwidth: {said}"]


def test_little_is_needed(tmp_path: Path) -> None:
    job = load(tmp_path, 'manifest = "clips"\n' + SMALL, "night.toml")
    assert (job.name, job.service, job.payload, job.collect) == ("night", None, None, None)
    assert job.limits == Limits()


def test_the_demo_makes_what_it_promises() -> None:
    job = load_job(DEMO)
    assert job.name == "demo"
    assert job.manifest == str(DEMO.parents[1] / "demo" / "clips")
    outputs = [each["output"] for each in job.query["format"]]
    assert outputs == ["mp4", "thumbnail", "thumbnails", "metadata"]
    assert job.collect is not None
    outputs_folder = DEMO.parents[1] / "demo" / "outputs"
    assert job.collect.folder({"parent": ".", "stem": "a"}) == str(outputs_folder / "a")


def test_a_job_does_not_change(tmp_path: Path) -> None:
    job = load(tmp_path, FULL)
    with pytest.raises(FrozenInstanceError):
        job.name = "other"  # type: ignore[misc]


def test_another_manifest_and_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = load(tmp_path, FULL)
    monkeypatch.chdir(tmp_path)
    assert job.with_(manifest="../x/a.csv").manifest == str(tmp_path.parent / "x" / "a.csv")
    assert job.with_(manifest=Path("/data/clips")).manifest == "/data/clips"
    assert job.with_(service="local").service == "local"
    assert job.with_() == job
    assert job.with_(service="local").manifest == job.manifest


def test_a_problem_has_its_file_line_and_field(tmp_path: Path) -> None:
    text = 'manifest = "clips"\n\n' + SMALL + SMALL + "heigth = 480\n"
    assert problems(tmp_path, text) == [
        'job.toml:7: query.format[1].heigth: unknown attribute (did you mean "height"?)'
    ]


def test_problems_are_told_together_from_the_top(tmp_path: Path) -> None:
    text = """\
nmae = "x"
manifest = ""
[[query.format]]
output = "mp4"
[[query.format]]
output = "mp4"
width = "wide"
[query.format.destination]
url = "s3://127.0.0.1/x.mp4"
key = "k"
[collect]
inot = "x"
[limits]
uploads = 0
starts = "4"
upload = 1
"""
    assert problems(tmp_path, text) == [
        'job.toml:1: nmae: unknown setting (did you mean "name"?)',
        "job.toml:2: manifest: is empty",
        'job.toml:7: query.format[1].width: "wide" is not a whole number',
        "job.toml:8: query.format[1].destination.secret: is required with s3://",
        "job.toml:11: collect.into: is required",
        'job.toml:12: collect.inot: unknown setting (did you mean "into"?)',
        "job.toml:14: limits.uploads: must be at least 1",
        "job.toml:15: limits.starts: must be a whole number",
        'job.toml:16: limits.upload: unknown setting (did you mean "uploads"?)',
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL, "job.toml: manifest: is required"),
        (
            'manifest = "x"',
            (
                "job.toml: query: is required"
                " ([query] is for Qencode and the local service, [order] for Transparent Edge)"
            ),
        ),
        ('manifest = "x"\nquery = 3', "job.toml:2: query: must be an object"),
        ('manifest = "x"\n[query]\nupscale = 1', "job.toml:2: query.format: is required"),
        (
            'manifest = "x"\nname = "Night Job"\n' + SMALL,
            (
                "job.toml:2: name: is not a job's name (use up to 64 of a-z, 0-9, dot, hyphen and"
                " underscore, a letter or digit first)"
            ),
        ),
        (
            'manifest = "x"\n[query]\nsource = "tus:1"\n' + SMALL,
            (
                "job.toml:3: query.source: the source of each item comes from the manifest"
                " (take it out)"
            ),
        ),
        (
            'manifest = "x"\npayload = "{"\n' + SMALL,
            (
                "job.toml:2: payload: the { at character 1 is no placeholder"
                " (write {{ and }} for braces that are part of the text)"
            ),
        ),
        (
            'manifest = "x"\n' + SMALL + 'tag = "{}"\n',
            (
                "job.toml:4: query.format[0].tag: the {} at character 1 is no placeholder"
                " (write {{ and }} for braces that are part of the text)"
            ),
        ),
        (
            'manifest = "x"\n' + SMALL + '[collect]\ninto = "out"\n',
            (
                "job.toml:5: collect.into: all items would go to one place"
                ' (name what differs by item, as in "outputs/{stem}")'
            ),
        ),
        (
            'manifest = "x"\n' + SMALL + "tag = 2024-01-01\n",
            "job.toml:4: query.format[0].tag: must be text, not an object",
        ),
    ],
)
def test_job_files_that_can_not_be(tmp_path: Path, text: str, words: str) -> None:
    assert problems(tmp_path, text) == [words]


def test_a_file_name_that_is_no_name(tmp_path: Path) -> None:
    words = (
        "My Job.toml: needs a name: the file's, \"My Job\", can't be one"
        ' (add a line such as: name = "nightly-480p")'
    )
    assert problems(tmp_path, 'manifest = "x"\n' + SMALL, "My Job.toml") == [words]


def test_what_is_no_toml(tmp_path: Path) -> None:
    (words,) = problems(tmp_path, 'manifest = "x"\nname = demo\n')
    assert words == "job.toml:2: is not valid TOML: Invalid value"


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"none\.toml: can't be read: No such file"):
        load_job(tmp_path / "none.toml")
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "\xff"')
    with pytest.raises(QueryError, match=r"latin\.toml: is not UTF-8 text"):
        load_job(path)


# --- placeholders are judged as far as they can be ------------------------------------


def formats(folder: Path, *lines: str) -> list[str]:
    """The problems of a job with an mp4 that has these lines."""
    text = 'manifest = "x"\n' + SMALL + "\n".join(lines) + "\n"
    try:
        load(folder, text)
    except QueryError as error:
        return [
            f"{each.field.removeprefix('query.format[0].')}: {each.message}"
            for each in error.problems
        ]
    return []


@pytest.mark.parametrize(
    "line",
    [
        'height = "{lines}"',
        'size = "{w}x{h}"',
        'video_codec = "{codec}"',
        'keyframe = "{k}s"',
        'resize_mode = "{mode}"',
        'aspect_ratio = "{a}:{b}"',
        'destination = "{where}"',
        'destination = { url = "{url}" }',
        'destination = { url = "${env:BUCKET}/{stem}.mp4", key = "k", secret = "s" }',
    ],
)
def test_what_a_row_decides_is_not_refused(tmp_path: Path, line: str) -> None:
    assert formats(tmp_path, line) == []


def test_what_no_row_can_mend_is_refused(tmp_path: Path) -> None:
    assert formats(tmp_path, 'height = "{lines}"', "two_pass = 1") == [
        "two_pass: two passes aim at a bitrate"
    ]
    assert formats(tmp_path, 'destination = { url = "s4://h/{stem}.mp4" }') == [
        "destination.url: can't store on s4://"
    ]
    assert formats(tmp_path, 'video_codec = "{codec}"', "heigth = 3", 'tag = "{stem}"') == [
        "heigth: unknown attribute"
    ]
    assert formats(tmp_path, 'destination = { url = "ftp://h/{stem}.mp4", permissions = "p" }') == [
        "destination.permissions: means nothing to ftp://"
    ]
