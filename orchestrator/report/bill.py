"""Minutes and money as people read them."""

from collections.abc import Iterator

from orchestrator.model.money import Account
from orchestrator.report.words import counted


def bill(account: Account) -> Iterator[tuple[str, str]]:
    """The lines of an account, each with its label."""
    yield "to pay for" if account.currency else "encoding", _sum(account)
    if len(account.outputs) > 1:
        parts = (
            f"{output} {_amount(spent.minutes, spent.cost, account.currency)}"
            for output, spent in sorted(account.outputs.items())
        )
        yield "of that", ", ".join(parts)
    if doubts := list(_doubts(account)):
        yield "but", "; ".join(doubts)


def _sum(account: Account) -> str:
    about = "about " if account.guessed or account.unknown else ""
    encodes = counted(account.items, "encode")
    return f"{encodes}, {about}{_amount(account.minutes, account.cost, account.currency)}"


def _amount(minutes: float, cost: float, currency: str) -> str:
    words = f"{minutes:,.1f} min"
    return f"{words} for {cost:,.2f} {currency}" if currency else words


def _doubts(account: Account) -> Iterator[str]:
    if account.unknown:
        yield f"{counted(account.unknown, 'source')} of unknown length left out"
    if account.guessed:
        yield f"{counted(account.guessed, 'length')} worked out from the size of the source"
    if account.currency and account.unpriced:
        yield f"{account.unpriced:,.1f} min have no price"
