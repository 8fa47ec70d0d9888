"""How the parts of this package say that a row can't be used."""

from orchestrator.model.items import Problem


class Fault(Exception):
    """Raised when a value of a row is wrong; becomes the row's ``Problem``.

    Never leaves this package. ``field`` is the column.
    """

    def __init__(self, field: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.field, self.message, self.hint = field, message, hint

    def at(self, file: str, line: int, key: str | None = None) -> Problem:
        """The problem that this fault is on ``line`` of ``file``."""
        return Problem(file, self.message, self.hint, line, self.field, key)
