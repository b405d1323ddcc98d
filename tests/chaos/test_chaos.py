"""Whatever fails, nothing that was acknowledged is lost, and nothing is done twice."""

import pytest

from tests.chaos.__main__ import SHORT, planned, survived
from tests.servers.private import PrivateBroker, PrivatePostgres


@pytest.mark.slow
@pytest.mark.servers
@pytest.mark.capability("PLT-02", "PLT-03", "PLT-09", "PLT-15")
def test_nothing_is_lost_and_nothing_done_twice_whatever_fails(
    private_postgres: PrivatePostgres, private_broker: PrivateBroker
) -> None:
    assert survived(planned(SHORT, seed=1), 1, private_postgres, private_broker) == []
