"""From log to consumers: slices, relay, subscriptions, deadlines, parking; no broker is named."""

from shared.chassis.messaging.deadlines import Deadlines
from shared.chassis.messaging.delivery import Delivery, pull_from, settle
from shared.chassis.messaging.lag import Lag, lag, quiescent
from shared.chassis.messaging.parking import Letter
from shared.chassis.messaging.relay import Relay
from shared.chassis.messaging.slices import CorruptSlice, Parcel, Slice, cut, decode
from shared.chassis.messaging.subscription import Subscription

__all__ = [
    "CorruptSlice",
    "Deadlines",
    "Delivery",
    "Lag",
    "Letter",
    "Parcel",
    "Relay",
    "Slice",
    "Subscription",
    "cut",
    "decode",
    "lag",
    "pull_from",
    "quiescent",
    "settle",
]
