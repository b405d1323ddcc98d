"""Pools: where leads without an owner wait, and the rules for taking them."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.leads.commands import ChangePool, ChangePoolMembers, ConfigurePoolRules, OpenPool
from services.leads.domain.profile import PROFILE_FIELDS
from services.leads.domain.refusals import NotThePoolsMember
from shared.chassis.shapes import Actor, FieldViolation, Invalid
from shared.events.base import Event
from shared.events.leads import (
    MemberKind,
    PoolChanged,
    PoolMember,
    PoolMembersChanged,
    PoolOpened,
    PoolRulesConfigured,
    RecycleScheduled,
)

__all__ = ["PUBLIC_POOL", "Pool", "unit_of"]

PUBLIC_POOL = "pool-public"
"""Where leads go that no rule places, if the company has opened it."""

_HIDEABLE = frozenset(PROFILE_FIELDS)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Leads that wait for one of the pool's members to claim them."""

    id: str = ""
    """Given by whoever loads it: a stream does not say its own name."""
    name: str
    unit_id: str | None = None
    members: tuple[PoolMember, ...] = ()
    admin_ids: tuple[str, ...] = ()
    hidden_fields: tuple[str, ...] = ()
    rules: PoolRulesConfigured = field(default_factory=lambda: PoolRulesConfigured(rules_version=0))

    @staticmethod
    def open(command: OpenPool) -> list[Event]:
        _check_hidden(command.hidden_fields)
        return [
            PoolOpened(
                name=command.name,
                unit_id=command.unit_id,
                members=command.members,
                admin_ids=command.admin_ids,
                hidden_fields=command.hidden_fields,
            )
        ]

    def change(self, command: ChangePool) -> list[Event]:
        _check_hidden(command.hidden_fields or ())
        changed = PoolChanged(
            name=command.name or self.name,
            unit_id=command.unit_id or self.unit_id,
            hidden_fields=(
                self.hidden_fields if command.hidden_fields is None else command.hidden_fields
            ),
        )
        as_it_is = PoolChanged(
            name=self.name, unit_id=self.unit_id, hidden_fields=self.hidden_fields
        )
        return [] if changed == as_it_is else [changed]

    def change_members(self, command: ChangePoolMembers) -> list[Event]:
        if (self.members, self.admin_ids) == (command.members, command.admin_ids):
            return []
        return [PoolMembersChanged(members=command.members, admin_ids=command.admin_ids)]

    def configure_rules(self, command: ConfigurePoolRules) -> list[Event]:
        found: list[FieldViolation] = []
        if command.warn_before_days is not None and (
            command.recycle_after_days is None
            or command.warn_before_days >= command.recycle_after_days
        ):
            found.append(FieldViolation("warn_before_days", "must be less than recycle_after_days"))
        try:
            ZoneInfo(command.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            found.append(FieldViolation("time_zone", "is not an IANA time zone"))
        if found:
            raise Invalid(found)
        limits = command.model_dump(exclude={"pool_id"})
        if self.rules.rules_version and limits == self.rules.model_dump(exclude={"rules_version"}):
            return []
        return [PoolRulesConfigured(rules_version=self.rules.rules_version + 1, **limits)]

    @property
    def rules_name(self) -> str:
        """The pool's rules and their version, as facts name them."""
        return f"{self.id}@{self.rules.rules_version}"

    def admit(self, actor: Actor) -> None:
        """Refuse whoever may not claim from the pool; one without members is open to everybody.

        Raises:
            NotThePoolsMember: neither a member nor an administrator.
        """
        if self.members and not self.is_admin(actor) and not self._has_member(actor):
            raise NotThePoolsMember(pool_id=self.id)

    def is_admin(self, actor: Actor) -> bool:
        """Whether this person administers the pool."""
        return actor.id in self.admin_ids

    def day(self, at: datetime) -> date:
        """Return the calendar day in which claims count."""
        return at.astimezone(ZoneInfo(self.rules.time_zone)).date()

    def protected_until(self, entered_at: datetime) -> datetime | None:
        """Return until when a new lead may be neither claimed nor recycled."""
        hours = self.rules.protection_hours
        return entered_at + timedelta(hours=hours) if hours else None

    def cool_down_until(self, left_at: datetime) -> datetime | None:
        """Return until when whoever lost a lead may not claim it again."""
        hours = self.rules.cool_down_hours
        return left_at + timedelta(hours=hours) if hours else None

    def recycling(
        self, owner_id: str, idle_since: datetime, protected_until: datetime | None
    ) -> list[Event]:
        """Say when a lead goes back for want of follow-up, if the pool recycles."""
        days = self.rules.recycle_after_days
        if not days:
            return []
        recycle_at = idle_since + timedelta(days=days)
        if protected_until is not None:
            recycle_at = max(recycle_at, protected_until)
        warn = self.rules.warn_before_days
        return [
            RecycleScheduled(
                pool_id=self.id,
                owner_id=owner_id,
                idle_since=idle_since,
                warn_at=recycle_at - timedelta(days=warn) if warn else None,
                recycle_at=recycle_at,
                rules_version=self.rules.rules_version,
            )
        ]

    def _has_member(self, actor: Actor) -> bool:
        units = (actor.unit or "").split("/")
        return any(
            (member.kind is MemberKind.EMPLOYEE and member.id == actor.id)
            or (member.kind is MemberKind.UNIT and member.id in units)
            or (member.kind is MemberKind.ROLE and member.id in actor.roles)
            for member in self.members
        )

    @staticmethod
    def evolve(state: "Pool | None", event: Event) -> "Pool | None":
        match event:
            case PoolOpened():
                return Pool(
                    name=event.name,
                    unit_id=event.unit_id,
                    members=event.members,
                    admin_ids=event.admin_ids,
                    hidden_fields=event.hidden_fields,
                )
            case PoolChanged() if state:
                return replace(
                    state,
                    name=event.name,
                    unit_id=event.unit_id,
                    hidden_fields=event.hidden_fields,
                )
            case PoolMembersChanged() if state:
                return replace(state, members=event.members, admin_ids=event.admin_ids)
            case PoolRulesConfigured() if state:
                return replace(state, rules=event)
        return state


def unit_of(actor: Actor) -> str | None:
    """Return the innermost unit on the actor's unit path."""
    return actor.unit.rpartition("/")[2] or None if actor.unit else None


def _check_hidden(fields: tuple[str, ...]) -> None:
    found = [
        FieldViolation(f"hidden_fields.{index}", f"leads have no profile field {name!r}")
        for index, name in enumerate(fields)
        if name not in _HIDEABLE
    ]
    if found:
        raise Invalid(found)
