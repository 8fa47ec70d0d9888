"""Minutes and money as people read them."""

from orchestrator.model.money import Account, Charge
from orchestrator.report.bill import bill


def account(currency: str = "EUR") -> Account:
    made = Account(currency)
    made.add([Charge("mp4", 90.0, 45.0), Charge("thumbnails", 0.0, 0.5)])
    return made


def test_minutes_and_money_in_all_and_by_output() -> None:
    assert list(bill(account())) == [
        ("to pay for", "1 encode, 90.0 min for 45.50 EUR"),
        ("of that", "mp4 90.0 min for 45.00 EUR, thumbnails 0.0 min for 0.50 EUR"),
    ]


def test_without_prices_there_are_minutes_alone() -> None:
    made = Account()
    made.add([Charge("mp4", 1234.5, None)])
    assert list(bill(made)) == [("encoding", "1 encode, 1,234.5 min")]


def test_what_is_not_known_for_sure_is_said() -> None:
    made = Account("EUR")
    made.add(None)
    made.add([Charge("mp4", 2.0, None)], guessed=True)
    lines = list(bill(made))
    assert lines[0] == ("to pay for", "2 encodes, about 2.0 min for 0.00 EUR")
    assert lines[1][1].split("; ") == [
        "1 source of unknown length left out",
        "1 length worked out from the size of the source",
        "2.0 min have no price",
    ]
