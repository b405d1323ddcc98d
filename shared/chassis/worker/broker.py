"""The broker: where facts are published and what queues they are read from."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kombu import Connection, Exchange, Queue, binding

from shared.chassis.messaging.subscription import Subscription

__all__ = ["Broker", "release"]

_HEARTBEAT = 10
_CONNECT_TIMEOUT = 5
_GOODBYE = 1.0
_UNLIMITED_SINCE = 4
"""The major version of RabbitMQ that limits deliveries by itself and can be told not to."""


@dataclass(frozen=True)
class Broker:
    """An AMQP broker, or kombu's memory transport within one process.

    Args:
        url: as kombu takes it, e.g. `amqp://guest:guest@localhost//`.
        options: kombu's transport options.
        longest: messages after which a queue is emptied before the next is put in it; None leaves
            such care to the broker. What is lost is pulled from the log when the next message
            shows the gap.
        prefix: put before the names of exchange and queues, where several installations share a
            virtual host.
        ssl: what TLS needs; None speaks in clear.
    """

    url: str
    options: dict[str, Any] = field(default_factory=dict)
    longest: int | None = None
    prefix: str = ""
    ssl: dict[str, Any] | None = field(default=None, repr=False)
    bound: dict[str, frozenset[str]] = field(default_factory=dict)
    """Names of the queues of this process, with the contexts each is bound to."""

    @classmethod
    def embedded(cls) -> "Broker":
        """Return the broker of a process that hosts every subscription itself."""
        options = {"polling_interval": 0.01, "body_encoding": None}
        return cls("memory://localhost//", options, longest=64)

    @classmethod
    def amqp(
        cls,
        url: str,
        *,
        prefix: str = "",
        authority: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> "Broker":
        """Return a RabbitMQ server or cluster.

        Args:
            url: `amqp://…`, or `amqps://…` to speak TLS and check the server's certificate.
            prefix: see `Broker`.
            authority: file of the certificates that may sign the server's; the system's when None.
            certificate: file of this client's certificate, when the server wants one.
            key: file of its private key.
        """
        if not url.startswith("amqps://"):
            return cls(url, prefix=prefix)
        files = {"ca_certs": authority, "certfile": certificate, "keyfile": key}
        tls = {name: str(file) for name, file in files.items() if file is not None}
        return cls(
            url,
            prefix=prefix,
            ssl={**tls, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None},
        )

    @property
    def is_embedded(self) -> bool:
        """Whether it lives in this process's memory."""
        return self.url.startswith("memory:")

    @property
    def exchange(self) -> Exchange:
        """Where relays publish, with the context as routing key."""
        return Exchange(f"{self.prefix}annals.events", type="topic", durable=True)

    def connection(self, **options: Any) -> Connection:
        """Return a connection of its own, made when it is first used.

        Args:
            options: further transport options.
        """
        return Connection(
            self.url,
            ssl=self.ssl or False,
            heartbeat=0 if self.is_embedded else _HEARTBEAT,
            connect_timeout=_CONNECT_TIMEOUT,
            transport_options={**self.options, **options},
        )

    def declare(self, subscription: Subscription, channel: Any) -> Queue:
        """Declare and bind a subscription's queue: replicated, in order, one consumer at a time.

        Args:
            subscription: whose queue.
            channel: of an open connection.
        """
        self.bound[subscription.name] = subscription.contexts
        arguments: dict[str, Any] = {"x-queue-type": "quorum", "x-single-active-consumer": True}
        if _major_version(channel) >= _UNLIMITED_SINCE:
            arguments["x-delivery-limit"] = -1
        exchange = self.exchange
        queue = Queue(
            self.prefix + subscription.name,
            exchange,
            channel=channel,
            bindings=[binding(exchange, context) for context in sorted(subscription.contexts)],
            durable=True,
            queue_arguments=arguments,
        )
        queue.declare()
        return queue


def release(connection: Connection) -> None:
    """Close a connection, within seconds also when the broker does not answer any more.

    Args:
        connection: open or not; it is not used again.
    """
    connected = connection.connection if connection.connected else None
    sock = getattr(connected, "sock", None)
    if sock is not None:
        sock.settimeout(_GOODBYE)
    connection.release()


def _major_version(channel: Any) -> int:
    properties = getattr(channel.connection, "server_properties", {})
    return int(str(properties.get("version", "0")).partition(".")[0])
