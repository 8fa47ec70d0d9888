"""What the manifest's tests share."""

from pathlib import Path

from orchestrator.manifest import read
from orchestrator.model.items import Problem, Row


def all_of(where: str | Path, **options: object) -> tuple[list[Row], list[Problem]]:
    """Everything that a manifest gives, parted."""
    entries = list(read(where, **options))  # type: ignore[arg-type]
    rows = [entry for entry in entries if isinstance(entry, Row)]
    return rows, [entry for entry in entries if isinstance(entry, Problem)]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    """A manifest file."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def media(folder: Path, *names: str) -> list[Path]:
    """Small files that may stand for media."""
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"media")
    return paths


def places(problems: list[Problem]) -> list[tuple[int, str]]:
    """Line and field of each problem."""
    return [(problem.line, problem.field) for problem in problems]
