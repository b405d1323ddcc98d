from uuid import uuid4

import kombu
import psycopg
import pytest

from tests.conftest import Servers

pytestmark = pytest.mark.servers


def test_postgresql_answers_with_a_supported_version(servers: Servers) -> None:
    with psycopg.connect(servers.postgres) as connection:
        assert connection.info.server_version >= 15_00_00


def test_a_quorum_queue_keeps_what_the_broker_confirmed(servers: Servers) -> None:
    confirming = {"confirm_publish": True}
    with kombu.Connection(servers.broker, transport_options=confirming) as connection:
        name = f"annals.test.{uuid4()}"
        queue = kombu.Queue(name, queue_arguments={"x-queue-type": "quorum"})
        bound = queue(connection.default_channel)
        bound.declare()
        try:
            connection.Producer().publish({"said": "王"}, routing_key=name)
            message = bound.get()
            assert message is not None
            assert message.payload == {"said": "王"}
            message.ack()
        finally:
            bound.delete()
