"""Where in a TOML file a value stands."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.query.lines import line_of, lines_of

TEXT = '''# a comment [with] = {signs}
name = "demo"  # [x]
manifest = 'a # "b'
payload = """
several = "lines"
"""

[query]
upscale = 1
stitch = [ # why
  "http://127.0.0.1/a]",
  { url = "b", duration = 1.5 },
]

[[query.format]]
output = "mp4"
destination = { url = "s3://h/}", key.name = "k", ports = [1,
  2] }

  [[ query . "format" ]]
output = "thumbnail"
  [query.format.destination]
  url = \'\'\'s3://
x\'\'\'
limits.uploads = 3
[collect]
into="x\\"]"
"quoted key" = 2024-01-01T00:00:00Z
'''


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("name", 2),
        ("manifest", 3),
        ("payload", 4),
        ("query", 8),
        ("query.upscale", 9),
        ("query.stitch", 10),
        ("query.stitch[0]", 11),
        ("query.stitch[1]", 12),
        ("query.stitch[1].duration", 12),
        ("query.format[0]", 15),
        ("query.format[0].output", 16),
        ("query.format[0].destination.url", 17),
        ("query.format[0].destination.key.name", 17),
        ("query.format[0].destination.ports[1]", 18),
        ("query.format[1]", 20),
        ("query.format[1].output", 21),
        ("query.format[1].destination", 22),
        ("query.format[1].destination.url", 23),
        ("query.format[1].destination.limits.uploads", 25),
        ("collect.into", 27),
        ("collect.quoted key", 28),
    ],
)
def test_lines_of_values(field: str, line: int) -> None:
    tomllib.loads(TEXT)
    assert line_of(lines_of(TEXT), field) == line


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ("query.format[1].destination.key", 22),
        ("query.format[0].two_pass", 15),
        ("query.upscale.x[3].y", 9),
        ("collect.name", 26),
        ("service", 0),
        ("", 0),
    ],
)
def test_what_is_missing_stands_where_its_table_does(field: str, line: int) -> None:
    assert line_of(lines_of(TEXT), field) == line


KEYS = st.sampled_from(["a", "b", "c-d", "e_1"])
LEAVES = st.sampled_from(["1", "true", '"x]}#\\""', "'y,='", "1.5", '"""m\n[z]\n"""', "[]", "{}"])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: "[ # [\n" + ",\n".join(each) + "\n]")
        | st.dictionaries(KEYS, inner, max_size=2).map(
            lambda each: "{ " + ", ".join(f"{key} = {value}" for key, value in each.items()) + " }"
        )
    ),
    max_leaves=6,
)


@given(st.lists(st.tuples(st.booleans(), st.dictionaries(KEYS, VALUES, max_size=3)), max_size=4))
@pytest.mark.slow
def test_every_key_of_a_file_is_found(tables: list[tuple[bool, dict[str, str]]]) -> None:
    text, expected = "", {}
    for number, (comment, pairs) in enumerate(tables):
        text += "# [[x]]\n" if comment else ""
        text += "[[table]]\n"
        for key, value in pairs.items():
            expected[f"table[{number}].{key}"] = text.count("\n") + 1
            text += f"{key} = {value}\n"
    assert len(tomllib.loads(text).get("table", [])) == len(tables)
    lines = lines_of(text)
    assert {field: lines.get(field) for field in expected} == expected
