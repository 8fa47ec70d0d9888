"""Patterns over keys, as people write them, for the database.

``fnmatch`` gives the meaning: ``*`` is any text (slashes included), ``?`` any one
sign, ``[ab]`` and ``[!ab]`` one of some or none of them, all of it case-sensitive.
SQLite's GLOB (https://sqlite.org/lang_expr.html#glob) writes ``[^ab]`` for the last,
and matches nothing where a bracket is not closed.
"""

import re

_SET = re.compile(r"\[(!?+)(\]?+[^\]]*)\]", re.DOTALL)


def glob(pattern: str) -> str:
    """The pattern as GLOB reads it."""
    made, at = "", 0
    while (start := pattern.find("[", at)) >= 0:
        made += pattern[at:start]
        found = _SET.match(pattern, start)
        made += _one_of(found[1] == "!", found[2]) if found else "[[]"
        at = found.end() if found else start + 1
    return made + pattern[at:]


def _one_of(none: bool, signs: str) -> str:
    if none:
        return f"[^{signs}]"
    if signs == "^":
        return signs
    # At the front it would turn the meaning round.
    return f"[{signs[1:]}^]" if signs.startswith("^") else f"[{signs}]"
