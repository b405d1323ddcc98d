"""A lead becomes a paying, supported customer, through HTTP, on the embedded runtime."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.forms import asked_both_ways
from tests.acceptance.installation import Installation, installation
from tests.acceptance.life import START, live

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def annals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Return a fresh installation whose present is the first Monday of March."""
    data: Path = tmp_path_factory.mktemp("annals")
    with installation(data) as running:
        running.turn(START)
        yield running


@pytest.mark.capability(
    "LEA-01", "LEA-04", "LEA-10", "LEA-12", "LEA-13", "LEA-15", "LEA-16", "ACC-01", "ACC-03",
    "PIP-02", "PIP-03", "PIP-06", "PIP-08", "BIL-01", "BIL-04", "BIL-05", "BIL-06", "BIL-08",
    "SUP-01", "SUP-03", "SUP-08", "ANA-01", "ANA-02", "ANA-03", "ANA-05", "ANA-06", "ANA-18",
    "PLT-02", "PLT-03", "PLT-09",
)  # fmt: skip
def test_a_lead_becomes_a_paying_supported_customer(annals: Installation) -> None:
    live(annals)

    # every answer says the same as a message and as the text that the gateway passes on
    answers = list(asked_both_ways(f"127.0.0.1:{annals.settings.grpc_port}"))
    for name, message, text in answers:
        assert message == text, name
    assert len({name for name, _, _ in answers}) > 50
