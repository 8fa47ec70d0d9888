"""No attribute of the API without a test that proves it."""

from tests.api.coverage import PAGE, page, rows, unknown


def test_every_attribute_has_a_test_and_a_place() -> None:
    found = rows()
    assert [row.name for row in found if not row.tests] == []
    assert [row.name for row in found if not row.places] == []


def test_no_test_claims_an_attribute_that_does_not_exist() -> None:
    assert unknown() == []


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(rows()), "run make api-coverage"
