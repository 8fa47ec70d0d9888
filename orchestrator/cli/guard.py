"""From exceptions to exit codes: a friendly line for people, the traceback for the log."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import typer

from orchestrator.cli import exits
from orchestrator.model.errors import (
    AccountProblem,
    BadInput,
    OrchestratorError,
)

P = ParamSpec("P")


def guarded(command: Callable[P, int]) -> Callable[P, None]:
    """``command``, which returns its exit code, as typer wants it."""

    @wraps(command)
    def guarded_command(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
        except typer.Exit:
            raise
        except BrokenPipeError:
            code = _reader_left()
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the outermost place
            code = tell(error, kwargs)
        raise typer.Exit(code)

    return guarded_command


def tell(error: BaseException, options: dict[str, Any]) -> int:
    """Say what is wrong, on stderr (and as JSON where that was asked for); the exit code."""
    cause = _cause(error)
    code = _code(cause)
    message = str(cause) or type(cause).__name__
    if code == exits.INTERRUPTED:
        message = "interrupted"
    elif not isinstance(cause, OrchestratorError):
        message = _unforeseen(cause, options.get("config"))
    print(f"orchestrator: {message}" if "\n" not in message else message, file=sys.stderr)
    if options.get("as_json"):
        print(json.dumps(_document(cause, code, message), indent=2, ensure_ascii=False))
    return code


def _cause(error: BaseException) -> BaseException:
    """The one exception to talk about: of a group, what matters most to a person."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    order = (exits.ACCOUNT, exits.BAD_INPUT, exits.BROKEN, exits.INTERRUPTED)
    leaves = sorted(_leaves(error), key=lambda leaf: order.index(_code(leaf)))
    return leaves[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _code(error: BaseException) -> int:
    if isinstance(error, BadInput):
        return exits.BAD_INPUT
    if isinstance(error, AccountProblem):
        return exits.ACCOUNT
    if isinstance(error, KeyboardInterrupt):
        return exits.INTERRUPTED
    return exits.BROKEN


def _unforeseen(error: BaseException, config: Path | None) -> str:
    from orchestrator.report.logs import hide_secrets

    what = hide_secrets(f"{type(error).__name__}: {error}")
    log = _logged(error, config)
    where = f"the log has the details: {log}" if log else "the log can't be written either"
    return f"can't go on: {what} (what was done so far is recorded; {where})"


def _logged(error: BaseException, config: Path | None) -> Path | None:
    """Write the traceback to the log of the run, or to one for such cases; where that is."""
    import logging

    from orchestrator.config import load_config
    from orchestrator.report.logs import configure_logging, current_file

    try:
        if current_file() is None:
            configure_logging(load_config(config).state / "orchestrator.log")
        logging.getLogger(__name__).error("could not go on", exc_info=error)
        return current_file()
    except (BadInput, OSError):
        return None


def _document(error: BaseException, code: int, message: str) -> dict[str, Any]:
    from dataclasses import asdict

    error_class = getattr(error, "error_class", "internal")
    problems = [asdict(problem) for problem in getattr(error, "problems", ())]
    return {
        "exit_code": code,
        "error": {"class": error_class, "message": message, "problems": problems},
    }


def _reader_left() -> int:
    """Whoever read our output has seen enough (``| head``): nobody's fault."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return exits.OK
