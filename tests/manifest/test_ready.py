"""Plain rows made at once, on a second core, are what the long way makes of them."""

import os
import resource
import string
from itertools import chain, islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.ledger import rows
from orchestrator.ledger.staging import said
from orchestrator.manifest import read, read_ready, sharing
from orchestrator.manifest import reader as reading
from orchestrator.model import turns
from orchestrator.model.items import Row
from orchestrator.model.plain import PlainColumns
from orchestrator.model.turns import Order
from orchestrator.query import QencodeRecipe, load_job

JOB = """\
manifest = "m.csv"
payload = "{id}|{stem}"
[query]
[[query.format]]
output = "mp4"
height = 480
tag = "{title}"
destination = { url = "s3://h.example/b/{parent}/{stem}.mp4", key = "k", secret = "s" }
[collect]
into = "out/{parent}/{stem}"
"""

#: Its paths and payloads depend on cells, and may be too long; its digests hold no place.
CELLS_JOB = """\
manifest = "m.csv"
payload = "{title}{title}{title}100%s"
[query]
[[query.format]]
output = "mp4"
height = 480
destination = { url = "s3://h.example/b/100%d.mp4", key = "k", secret = "s" }
[collect]
into = "out/{title}"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ready")
    (folder / "job.toml").write_text(JOB)
    for name in ("a.mp4", "b c.mp4", "é.mp4", ".hidden", "sub/a.mp4", "sub/d.x.mov", "sub/nodot"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    (folder / "empty.mp4").touch()
    return folder


@pytest.fixture(scope="module")
def recipe(home):
    return QencodeRecipe(load_job(home / "job.toml"))


def long_way(path, recipe, order=Order.FIRST):
    """What is stored of each row, made one step after the other; or what is wrong with it."""
    for entry in read(path):
        made = rows.candidate(entry, recipe, "m") if isinstance(entry, Row) else entry
        if isinstance(made, rows.Candidate):
            yield tuple(said(made, turns.weight(order, entry.duration, entry.size)))
        else:
            yield made


def one_by_one(some):
    """The entries of batches, plain rows as tuples."""
    for entry in chain.from_iterable(some):
        yield from entry.rows() if isinstance(entry, PlainColumns) else [entry]


def short_way(path, recipe, order=Order.FIRST):
    for entry in one_by_one(read_ready(path, recipe.plain(), order=order)):
        made = rows.candidate(entry, recipe, "m") if isinstance(entry, Row) else entry
        if isinstance(made, rows.Candidate):
            made = said(made, turns.weight(order, entry.duration, entry.size))
        yield tuple(made) if isinstance(made, tuple) else made


def same(path, recipe, order=Order.FIRST):
    expected = list(long_way(path, recipe, order))
    assert list(short_way(path, recipe, order)) == expected
    return expected


SOURCES = st.sampled_from(
    [
        *("a.mp4", "b c.mp4", " a.mp4 ", "é.mp4", ".hidden", "empty.mp4", "no.mp4", "sub/a.mp4"),
        *("sub/d.x.mov", "sub/nodot", "./sub//a.mp4", "sub/../a.mp4", "sub", "sub/", "~/x", "~x"),
        *("https://Host.example:443/in/a.mp4", "https://h.example/a%20b.mp4", "ftp://h/x?y/z.mov"),
        *("https://h.example/d/a.mp4?q=1", "https://h.example/a.mp4#t", "https://u:p@h/a.mp4"),
        *("https://h.example/", "s3://b/k/v.mp4", "gopher://h/x", "file:a.mp4", "", '"a.mp4"'),
        *("https://h.example/%2e%2e/a.mp4", "https://${env:U}@h.example/a.mp4", "x:/a.mp4"),
        *("https://h.example/a%40b/a.mp4", "https://h.example/a%22%5Cb/a.mp4"),
    ]
)
CELLS = st.one_of(
    st.sampled_from(
        ["", " ", "5", "11", "x", "{stem}", "${env:KEY}", "a@b", "\\", '"q, r"', '"a ""b"""']
    ),
    st.sampled_from(['say "hi"', '"two\nlines"', '"open', "\0", "tab\there", "é", "\ufeff", "%s"]),
    st.text(string.printable, max_size=4),
    st.text("ab/.~#?%:", max_size=5),
)
HEADERS = st.sampled_from(
    [
        ("source", "title"),
        ("id", "source", "title", "duration"),
        ("source", "priority", "payload", "tags", "title"),
        ("stitch", "source", "title", "a b", 'q"'),
        ("source", "title", "name"),
        ("source", "other"),
        ("source", "title", "title"),
    ]
)


@st.composite
def manifests(draw):
    names = draw(HEADERS)
    lines = [",".join(names)]
    for _ in range(draw(st.integers(0, 8))):
        cells = [draw(SOURCES if name == "source" else CELLS) for name in names]
        lines.append(",".join(cells[: draw(st.sampled_from([9, 9, 9, 1]))]))
    text = "".join(line + draw(st.sampled_from(["\n", "\n", "\r\n", "\r"])) for line in lines)
    text = draw(st.sampled_from(["", "", "\ufeff", "\n"])) + text
    bad = draw(st.sampled_from([b"", b"", b"\xff", b"\xc3"]))
    return text.encode() + bad


@pytest.fixture(scope="module")
def recipes(home, recipe):
    (home / "cells.toml").write_text(CELLS_JOB)
    return recipe, QencodeRecipe(load_job(home / "cells.toml"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=manifests(),
    size=st.sampled_from([1, 8, 30, 200]),
    order=st.sampled_from(Order),
    which=st.sampled_from([0, 1]),
)
@pytest.mark.slow
def test_both_ways_say_the_same(home, recipes, data, size, order, which):
    recipe = recipes[which]
    (home / "m.csv").write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.manifest.blocks.BLOCK", size)
        same(home / "m.csv", recipe, order)


def large(home, count=6000, odd=()):
    odd = dict(odd)
    lines = [odd.get(n, f"sub/a.mp4,Title {n:030d}") for n in range(count)]
    (home / "m.csv").write_text("source,title\n" + "\n".join(lines) + "\n")
    return home / "m.csv"


ODD = {7: "sub/no.mp4,x", 8: "é.mp4,é", 3000: 'a.mp4,"two\nlines"', 4500: 'a.mp4,"a, b"', 5999: "x"}


@pytest.fixture
def readers(monkeypatch):
    """The processes that were begun. Each is waited for, so that it has its share of the work."""
    begun = []

    class Noted(reading.Reader):
        def __init__(self, *args):
            super().__init__(*args)
            assert self._watch.poll(60_000)
            begun.append(self)

    monkeypatch.setattr(sharing, "Reader", Noted)
    return begun


def test_a_process_reads_a_large_manifest_and_ends_with_it(home, recipe, readers):
    expected = same(large(home, odd=ODD), recipe)
    assert len(expected) == 6000
    (reader,) = readers
    assert reader._process.returncode is not None
    plain = one_by_one(read_ready(home / "m.csv", recipe.plain()))
    assert sum(type(entry) is tuple for entry in plain) > 4000


@pytest.mark.parametrize("sign", [",", "\t"])
def test_an_odd_row_leaves_those_around_it_plain(home, recipe, sign):
    path = home / ("m.csv" if sign == "," else "m.tsv")
    odd = ["sub/a.mp4", "https://h.example/a%40b/a.mp4", "https://h.example/a%22b/a.mp4"]
    cells = [["source", "title"], ["sub/d.x.mov", "x"], *[[each, "a@b"] for each in odd]]
    cells += [["https://h.example/a%20b/a.mp4", "x"], ["https://h.example/a%40b/a.mp4", "x"]]
    path.write_text("\n".join(map(sign.join, cells)) + "\n")
    same(path, recipe)
    made = one_by_one(read_ready(path, recipe.plain()))
    assert [entry[12] for entry in made if type(entry) is tuple] == [2, 6]


@pytest.mark.parametrize("title", ["x" * 255, "x" * 256, "x" * 331, "/x", "a//b", "..", "100%"])
def test_a_path_or_payload_that_needs_a_look_gets_one(home, recipes, title):
    path = home / "m.csv"
    path.write_text(f"source,title\na.mp4,a\nsub/a.mp4,{title}\nsub/d.x.mov,b\n")
    assert len(same(path, recipes[1])) == 3
    made = one_by_one(read_ready(path, recipes[1].plain()))
    plain = [entry[12] for entry in made if type(entry) is tuple]
    assert plain == ([2, 3, 4] if title in ("x" * 255, "100%") else [2, 4])


def test_a_small_manifest_needs_no_process(home, recipe, readers):
    same(large(home, 100), recipe)
    assert not readers


def test_between_files_that_are_read_whole_one_can_stop(home, recipe, readers):
    path = large(home)
    some = read_ready(path, recipe.plain(), fingerprint="content")
    for line, entries in enumerate(islice(some, 5), 2):
        (row,) = entries
        assert (row.line, row.fingerprint[:3]) == (line, "b2-")
    assert not readers


def test_whoever_stops_reading_ends_the_process(home, recipe, readers):
    some = read_ready(large(home), recipe.plain())
    next(some), next(some)
    some.close()
    assert readers[0]._process.returncode is not None


def test_a_process_that_is_killed_costs_no_row(home, recipe, readers):
    some = read_ready(large(home), recipe.plain())
    first = next(some)
    readers[0]._process.kill()
    readers[0]._process.wait()
    entries = one_by_one([first, *some])
    assert [entry[12] for entry in entries] == list(range(2, 6002))


def test_a_process_is_heard_where_a_thousand_files_are_open(home, recipe, readers):
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1200:
        pytest.skip("this user may not open so many")
    held = [os.dup(0) for _ in range(1100)]
    try:
        same(large(home), recipe)
    finally:
        for file in held:
            os.close(file)
    assert len(readers) == 1


def test_a_process_that_cant_be_started_costs_no_row(home, recipe, monkeypatch):
    monkeypatch.setattr("sys.executable", str(home / "nothing"))
    assert len(same(large(home), recipe)) == 6000


def test_a_process_ends_when_its_parent_does(home, recipe, readers):
    some = read_ready(large(home), recipe.plain())
    next(some)
    process = readers[0]._process
    readers[0]._asks.close()
    readers[0]._answers.close()
    assert process.wait(20) == 0
    some.close()


def test_a_block_that_changed_meanwhile_is_noticed(home, recipe, readers, monkeypatch):
    path = large(home)
    monkeypatch.setattr(reading, "crc32", lambda data: 1)
    first = next(read_ready(path, recipe.plain()))
    assert [str(problem) for problem in first] == [
        f"{path}:2: changed while it was read (run again)"
    ]


def test_lines_longer_than_a_block_are_read_as_ever(home, recipe):
    text = "source,title\na.mp4," + "é" * 1_200_000 + "\na.mp4,b\nsub/a.mp4," + "y" * 140_000 + "\n"
    (home / "m.csv").write_text(text)
    assert len(same(home / "m.csv", recipe)) == 3


def test_what_is_no_csv_is_read_as_ever(home, recipe):
    (home / "m.txt").write_text("a.mp4\nno.mp4\n")
    assert len(same(home / "m.txt", recipe)) == 2
    for name in ("no.csv", "sub", "*.mp4"):
        same(home / name, recipe)
    (home / "m.csv").write_bytes(os.urandom(64) + bytes(range(32)) * 9)
    same(home / "m.csv", recipe)


def test_a_slash_after_a_question_mark_ends_no_folder(home, recipes):
    path = home / "m.csv"
    path.write_bytes(b"source,title\na.mp4,\na.mp4,\na.mp4,\nftp://h/x?y/z.mov, \n")
    for recipe in recipes:
        same(path, recipe)
