"""Where a job's outputs go: a folder for each item, a name for each output.

What a row or a service says can never lead out of the folder that the job's
author wrote: fields may hold folders, but no ``..``, no absolute path and
nothing that a file system takes in another way than it is read.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import fsencode
from os.path import normpath
from pathlib import Path
from typing import Literal

from orchestrator.model.plain import LONGEST_NAME, is_plain_path
from orchestrator.query.templates import Template, TemplateError, compile_template

#: How much is proven of what was collected, before its item is called completed:
#: nothing, sizes, what ffprobe sees, or that all of it can be decoded.
Verify = Literal["none", "size", "probe", "decode"]

#: What an output itself adds to the fields of its row.
_OF_OUTPUT = ("tag", "ext")

_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Collect:
    """Where outputs go. ``base`` is absolute; ``into`` goes on below it.

    ``verify`` is None where the config's is to be taken.
    """

    base: str
    into: Template = field(repr=False)
    name: Template = field(repr=False)
    verify: Verify | None = None

    @classmethod
    def of(cls, into: str, name: str, folder: Path, verify: Verify | None = None) -> "Collect":
        """From the templates of a job file that lies in ``folder`` (absolute).

        Raises ``TemplateError`` where they are malformed, or would put all
        items into one place.
        """
        into_of = compile_template(into, "collect.into")
        name_of = compile_template(name, "collect.name")
        _refuse_what_cant_be(into_of, name_of)
        head = into_of.head
        fixed = head[: head.rfind("/") + 1] if into_of.names else head
        rest = [head[len(fixed) :], *into_of.pieces[1 if head else 0 :]]
        return cls(normpath(folder / fixed), Template(rest, "collect.into"), name_of, verify)

    def folder(self, fields: Mapping[str, str]) -> str:
        """The absolute folder of an item's outputs.

        Raises ``TemplateError`` where the fields make none, or one elsewhere.
        """
        below = self.into.render(fields)
        if is_plain_path(below):
            return f"{self.base}/{below}"
        steps = [step for step in below.split("/") if step != "."]
        if fault := _fault(below, steps):
            raise TemplateError(fault, "give the row other values for it", "collect.into")
        return "/".join((self.base, *steps)) if below else self.base

    def file_name(self, tag: str, ext: str, fields: Mapping[str, str]) -> str:
        """The name of an output's file; what can't stand in a name becomes ``_``.

        ``tag`` is the output's user tag, else its system tag.
        """
        return _as_name(self.name.render({**fields, "tag": tag, "ext": ext}))

    @staticmethod
    def folder_name(tag: str) -> str:
        """The name of the folder of an output of many files, which keep their own names."""
        return _as_name(tag)


def _as_name(text: str) -> str:
    name = _NOT_IN_NAMES.sub("_", text)
    return f"_{name}" if name in ("", ".", "..") else name


def _refuse_what_cant_be(into: Template, name: Template) -> None:
    if any("${env:" in piece for piece in (*into.pieces, *name.pieces) if isinstance(piece, str)):
        hint = "write the folder itself"
        raise TemplateError("secrets can't be part of a path", hint, "collect.into")
    if of_output := set(into.names).intersection(_OF_OUTPUT):
        hint = "an item's outputs share a folder: put it into collect.name"
        raise TemplateError(f"{{{min(of_output)}}} differs by output", hint, "collect.into")
    if not {*into.names, *name.names}.difference(_OF_OUTPUT):
        hint = 'name what differs by item, as in "outputs/{stem}"'
        raise TemplateError("all items would go to one place", hint, "collect.into")


def _fault(below: str, steps: list[str]) -> str:
    """Why ``below`` is no folder below another; "" if it is one."""
    if ".." in steps or "\\" in below:
        return f'"{below}" could lead out of the folder of outputs'
    if _CONTROL.search(below):
        return "the folder's name would hold a control character"
    if below and "" in steps:
        return f'"{below}" holds a folder without a name'
    if len(below) * 4 > LONGEST_NAME and any(len(fsencode(s)) > LONGEST_NAME for s in steps):
        return f"a folder's name would be longer than {LONGEST_NAME} bytes"
    return ""
