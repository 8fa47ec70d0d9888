"""``orchestrator validate``: is everything right with a job and its manifest?"""

from orchestrator.cli import options
from orchestrator.cli.exits import BAD_INPUT, OK


def validate(
    job: options.JobName,
    manifest: options.Manifest = None,
    config: options.ConfigFile = None,
    as_json: options.AsJson = False,
) -> int:
    """Check a job and every row of its manifest, and change nothing.

    Names the file, line and field of each problem, and what to do about it.
    """
    from dataclasses import asdict

    from orchestrator import wiring
    from orchestrator.cli.document import print_json
    from orchestrator.cli.given import given
    from orchestrator.report.words import count, counted

    asked = given(job, config)
    what = wiring.RunOptions(manifest=manifest)
    problems, total, rows = wiring.validate_job(asked.config, asked.job, what)
    code = BAD_INPUT if total else OK
    if as_json:
        listed = [asdict(problem) for problem in problems]
        print_json({"rows": rows, "problems_total": total, "problems": listed, "exit_code": code})
        return code
    for problem in problems:
        print(problem)
    if total > len(problems):
        print(f"and {count(total - len(problems))} more")
    verdict = counted(total, "problem") if total else "all good"
    print(f"{asked.job.name}: {counted(rows, 'row')} read, {verdict}")
    return code
