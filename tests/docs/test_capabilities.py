"""The list of capabilities is the tests' own."""

from tests.docs.capabilities import KNOWN, PAGE, page, shown


def test_the_list_is_fresh() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_every_mark_names_a_known_capability() -> None:
    known = {id for names in KNOWN.values() for id in names}
    assert set(shown()) <= known
