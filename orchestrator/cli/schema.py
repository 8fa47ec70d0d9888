"""``orchestrator schema``: what a query may hold, for editors and other programs."""

from orchestrator.cli.exits import OK


def schema() -> int:
    """Print the JSON Schema of queries, for editors and clients in other languages."""
    from orchestrator.cli.document import print_json
    from orchestrator.query.schema import query_schema

    print_json(query_schema())
    return OK
