"""How wide text stands on a screen, and what of it can't stand there. Pure."""

import unicodedata


def width(text: str) -> int:
    """Columns of text: two for East Asian wide characters, none for marks on others."""
    return sum(_column(char) for char in text)


def one_line(text: str) -> str:
    """The text with every run of white space made one space, and none around it."""
    return " ".join(text.split())


def without_controls(text: str) -> str:
    """The text with control characters and lone surrogates made spaces.

    They are no part of speech, end lines or files early, or can't be written at all.
    """
    return "".join(" " if unicodedata.category(char) in {"Cc", "Cs"} else char for char in text)


def _column(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
