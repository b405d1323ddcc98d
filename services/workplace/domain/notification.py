"""Notifications: what an employee is told, once."""

from dataclasses import dataclass

from services.workplace.commands import Notify, ReadNotification
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.values import EmployeeId
from shared.events.workplace import NotificationRead, NotificationSent

__all__ = ["NotTheRecipient", "Notification", "notify"]


class NotTheRecipient(BrokenRule):
    """A message is marked as read by whoever it is for."""


@dataclass(frozen=True, kw_only=True)
class Notification:
    """A message in somebody's inbox."""

    recipient_id: EmployeeId
    is_read: bool = False

    def read(self, command: ReadNotification) -> list[Event]:
        """Be seen by its recipient."""
        if command.by.id != self.recipient_id:
            raise NotTheRecipient
        return [] if self.is_read else [NotificationRead(recipient_id=self.recipient_id)]

    @staticmethod
    def evolve(state: "Notification | None", event: Event) -> "Notification | None":
        match event:
            case NotificationSent(recipient_id=recipient_id):
                return Notification(recipient_id=recipient_id)
            case NotificationRead(recipient_id=recipient_id):
                return Notification(recipient_id=recipient_id, is_read=True)
        return state


def notify(command: Notify) -> list[Event]:
    """Tell somebody."""
    return [NotificationSent(**command.model_dump(exclude={"notification_id"}))]
