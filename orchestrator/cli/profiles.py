"""``orchestrator profiles``: what clients of ``/v1/start_encode`` may name."""

from typing import Annotated

from typer import Argument

from orchestrator.cli import options
from orchestrator.cli.exits import BAD_INPUT, OK

Id = Annotated[
    str | None,
    Argument(metavar="[ID]", help="Show this one as it is stored.", show_default=False),
]


def profiles(
    id_: Id = None,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """List and check the stored profiles and transfer methods of `orchestrator serve`.

    They are JSON or TOML files that you edit; each start of a task reads them anew.
    """
    import json
    from dataclasses import asdict

    from orchestrator import wiring
    from orchestrator.cli.document import print_json
    from orchestrator.config import load_config
    from orchestrator.report.words import counted

    found = wiring.stored_profiles(load_config(config), id_)
    bad = [each for each in found if each.problems]
    code = BAD_INPUT if bad else OK
    if as_json:
        print_json({"profiles": [asdict(each) for each in found], "exit_code": code})
        return code
    for each in found:
        told = ", ".join(each.outputs)
        needs = f"; needs {', '.join(each.variables)}" if each.variables else ""
        print(f"{each.id}: {each.kind}{f' of {told}' if told else ''}{needs}")
        for problem in each.problems:
            print(f"  {problem}")
        if id_ is not None and each.content is not None:
            print(json.dumps(each.content, indent=2, ensure_ascii=False))
    print(
        f"{counted(len(found), 'file')} read, {f'{len(bad)} with problems' if bad else 'all good'}"
    )
    return code
