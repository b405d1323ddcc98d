"""What goes wrong: faults that are caused on purpose, and undone where nothing else would."""

import signal
import time
from collections.abc import Callable, Mapping
from random import Random

import psycopg
from kombu import Connection, Producer

from shared.chassis.messaging.slices import CONTENT_TYPE, cut
from shared.chassis.worker.broker import Broker
from tests.production.topology import Topology
from tests.servers.private import PrivateBroker, PrivatePostgres

__all__ = ["FAULTS", "Place"]

_MOMENT = (0.5, 4.0)
"""How long something stays away or still, in seconds."""
_FLOOD = 400
"""Messages a queue is filled with."""
_RUN = 64


class Place:
    """Where faults happen.

    Args:
        annals: the installation.
        postgres: its PostgreSQL server.
        broker: its RabbitMQ server.
        chance: decides what is hit, and for how long.
    """

    def __init__(
        self, annals: Topology, postgres: PrivatePostgres, broker: PrivateBroker, chance: Random
    ) -> None:
        self.annals = annals
        self.postgres = postgres
        self.broker = broker
        self.chance = chance

    def a_moment(self) -> None:
        """Let some time pass."""
        time.sleep(self.chance.uniform(*_MOMENT))

    def a_process(self, *kinds: str) -> str:
        """Return one of the processes, of these kinds if any are named."""
        return self.chance.choice(
            [name for name in self.annals.processes if not kinds or name.split()[0] in kinds]
        )

    def kill_process(self) -> str:
        """Kill one process without a word and start another in its place."""
        name = self.a_process()
        self.annals.processes[name].signal(signal.SIGKILL)
        self.annals.processes[name].ended()
        self.a_moment()
        self.annals.launch(name)
        return name

    def kill_several(self) -> str:
        """Kill three processes at once."""
        names = self.chance.sample(list(self.annals.processes), 3)
        for name in names:
            self.annals.processes[name].signal(signal.SIGKILL)
        for name in names:
            self.annals.processes[name].ended()
        self.a_moment()
        for name in names:
            self.annals.launch(name)
        return ", ".join(names)

    def freeze_process(self) -> str:
        """Have a process stand still for a while, and with it all it was about to say."""
        name = self.a_process()
        self.annals.processes[name].signal(signal.SIGSTOP)
        self.a_moment()
        self.annals.processes[name].signal(signal.SIGCONT)
        return name

    def restart_database(self) -> str:
        """Shut the database server down and start it again."""
        self.postgres.stop()
        self.a_moment()
        self.postgres.start()
        return "in order"

    def kill_database(self) -> str:
        """Kill the database server with everything that is on its way to the disk."""
        self.postgres.kill()
        self.a_moment()
        self.postgres.start()
        return "kill -9"

    def restart_broker(self) -> str:
        """Shut the broker down and start it again."""
        self.broker.stop()
        self.a_moment()
        self.broker.start()
        return "in order"

    def kill_broker(self) -> str:
        """Kill the broker with everything it has not written down."""
        self.broker.sync()
        self.broker.kill()
        self.a_moment()
        self.broker.start()
        return "kill -9"

    def drop_database_connections(self) -> str:
        """Cut every connection to the database."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            cut = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname LIKE 'annals%' AND pid <> pg_backend_pid()"
            ).fetchall()
        return f"{len(cut)} connections"

    def drop_broker_connections(self) -> str:
        """Cut every connection to the broker."""
        self.broker.control("close_all_connections", "chaos")
        return "all connections"

    def lose_messages(self) -> str:
        """Empty a queue of whatever waits in it."""
        queue = self.chance.choice(self._queues())
        self.broker.control("purge_queue", queue)
        return queue

    def block_publishers(self) -> str:
        """Have the broker take nothing, as it does when its memory is full."""
        self.broker.control("set_vm_memory_high_watermark", "absolute", "1")
        self.a_moment()
        self.broker.control("set_vm_memory_high_watermark", "0.6")
        return "memory alarm"

    def repeat_messages(self) -> str:
        """Deliver old slices again, late and out of order."""
        context = self.chance.choice(list(self._logs()))
        return f"{self._publish_again(context, self.chance.randint(5, 30))} slices of {context}"

    def fill_queue(self) -> str:
        """Fill queues with old slices while a worker stands still."""
        name = self.a_process("worker")
        self.annals.processes[name].signal(signal.SIGSTOP)
        try:
            context = self.chance.choice(list(self._logs()))
            published = self._publish_again(context, _FLOOD)
        finally:
            self.annals.processes[name].signal(signal.SIGCONT)
        return f"{published} slices of {context} while {name} stands still"

    def _queues(self) -> list[str]:
        listed = self.broker.control("list_queues", "--quiet", "--no-table-headers", "name")
        return sorted(listed.split())

    def _logs(self) -> Mapping[str, int]:
        with self.annals.services() as services:
            tips = {opened.name: opened.log.tip() for opened in services}
        return {name: tip for name, tip in tips.items() if tip}

    def _publish_again(self, context: str, many: int) -> int:
        with self.annals.services() as services:
            log = next(opened.log for opened in services if opened.name == context)
            tip = log.tip()
            parcels = [
                parcel
                for _ in range(many)
                for parcel in cut(log.raw(self.chance.randrange(tip), self.chance.randint(1, _RUN)))
            ]
        exchange = Broker.amqp(self.broker.url).exchange
        with Connection(self.broker.url) as connection:
            producer = Producer(connection, exchange)
            for parcel in parcels:
                producer.publish(
                    parcel.body,
                    routing_key=context,
                    headers=parcel.headers,
                    content_type=CONTENT_TYPE,
                    content_encoding="binary",
                    delivery_mode=2,
                )
        return len(parcels)


FAULTS: Mapping[str, Callable[[Place], str]] = {
    "process killed": Place.kill_process,
    "three processes killed": Place.kill_several,
    "process frozen": Place.freeze_process,
    "database restarted": Place.restart_database,
    "database killed": Place.kill_database,
    "broker restarted": Place.restart_broker,
    "broker killed": Place.kill_broker,
    "database connections cut": Place.drop_database_connections,
    "broker connections cut": Place.drop_broker_connections,
    "messages lost": Place.lose_messages,
    "messages repeated": Place.repeat_messages,
    "queue filled": Place.fill_queue,
    "publishers blocked": Place.block_publishers,
}
"""What goes wrong, and what does it; each returns what was hit."""
