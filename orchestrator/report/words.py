"""Numbers and names as people read them."""

import re

UNKNOWN = "–"
_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]*@|(?<=://)([^?\s]*)\?.*", re.DOTALL)


def count(number: int) -> str:
    """12,345."""
    return f"{number:,}"


def counted(number: int, one: str, many: str = "") -> str:
    """1 file, 2 files; ``many`` where adding an s is not enough."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: float) -> str:
    """Bytes in decimal units, three figures: 512 B, 4.2 MB, 118 GB."""
    step = 0
    while number >= 999.5 and step < len(_SIZES) - 1:
        number, step = number / 1000, step + 1
    unit = _SIZES[step]
    return f"{number:.0f} {unit}" if number >= 99.5 or unit == "B" else f"{number:.1f} {unit}"


def duration(seconds: float) -> str:
    """Seconds in the two units that matter: 0.8 s, 42 s, 3 min 05 s, 2 h 01 min, 3 d 4 h."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def pace(per_second: float | None) -> str:
    """Items in the unit in which they can be pictured: 12/s, 38/min, 5.0/h."""
    if not per_second:
        return UNKNOWN
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    if per_second * 60 >= 1:
        each = per_second * 60
        return f"{each:.0f}/min" if each >= 9.95 else f"{each:.1f}/min"
    return f"{per_second * 3600:.1f}/h"


def name(key: str, width: int = 0) -> str:
    """An item's name fit for one line of a terminal.

    Credentials and signatures in URLs are left out, control characters are
    shown as a mark. Where ``width`` is given, the end is kept: the file's own
    name says more than the folders before it.
    """
    shown = printable(_CREDENTIALS.sub(r"\1", key))
    return shown if not width or len(shown) <= width else "…" + shown[-(width - 1) :]


def printable(text: str) -> str:
    """``text`` with a mark for every sign that could upset a terminal, line breaks included."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
