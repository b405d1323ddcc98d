"""What may not be done with a ticket."""

from shared.chassis.shapes import BrokenRule

__all__ = [
    "MergeGoesInCircles",
    "NoServiceIsPromised",
    "ParentGoesInCircles",
    "ReopeningTimeIsOver",
    "TicketIsClosed",
    "TicketIsNotMerged",
    "TicketIsNotResolved",
    "TicketIsNotWaiting",
    "TicketIsResolved",
    "TicketsAreOfTwoCustomers",
]


class TicketIsClosed(BrokenRule):
    """A closed or merged ticket is not worked on; reopen it or open a new one."""


class TicketIsResolved(BrokenRule):
    """A resolved ticket does not wait for the customer; reopen it first."""


class TicketIsNotResolved(BrokenRule):
    """Only a resolved ticket can be closed."""


class TicketIsNotWaiting(BrokenRule):
    """Only a ticket that waits for the customer can be resumed."""


class ReopeningTimeIsOver(BrokenRule):
    """The ticket has been closed for too long; the matter needs a new one."""


class TicketIsNotMerged(BrokenRule):
    """Only a merged ticket can be taken out of another one."""


class MergeGoesInCircles(BrokenRule):
    """A ticket can be merged only into another one that stands for itself."""


class TicketsAreOfTwoCustomers(BrokenRule):
    """A ticket cannot be merged into another customer's."""


class ParentGoesInCircles(BrokenRule):
    """A ticket cannot be placed under itself or one of its own."""


class NoServiceIsPromised(BrokenRule):
    """Neither an entitlement nor a default policy promises the customer a service."""
