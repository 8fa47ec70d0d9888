"""How a service is reached."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """Where a service is, and what it knows us by: one company's client, for orders."""

    url: str
    secret: str = field(repr=False)
    client: str = ""
    company: str = ""
