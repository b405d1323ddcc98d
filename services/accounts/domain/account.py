"""A customer, or somebody who may become one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType

from services.accounts.commands import (
    AddTeamMember,
    AssignAccountOwner,
    ChangeAccount,
    ExpireTeamMember,
    OpenAccount,
    OpenConvertedAccount,
    ReachMilestone,
    RemoveTeamMember,
    SetAccountParent,
    TagAccount,
    UntagAccount,
    WithdrawConversion,
)
from services.accounts.domain.customer_deals import CustomerDeals
from services.accounts.domain.profile import ACCOUNT_FIELDS, Profile, amended, profile_of
from services.accounts.domain.validation import reachable
from shared.chassis.shapes import BrokenRule, LimitReached, NotFound
from shared.events.accounts import (
    AccountLifecycleMoved,
    AccountMilestoneReached,
    AccountOpened,
    AccountOwnerChanged,
    AccountParentSet,
    AccountProfileChanged,
    AccountProfileFact,
    AccountTagged,
    AccountUntagged,
    AccountWithdrawn,
    Lifecycle,
    Milestone,
    TeamMemberAdded,
    TeamMemberRemoved,
    TeamRemoval,
)
from shared.events.base import Event

__all__ = [
    "Account",
    "AccountIsWithdrawn",
    "GroupsHaveNoCycles",
    "GroupsStayShallow",
    "MembershipsEndInTheFuture",
    "TagsStayFew",
    "TeamsStaySmall",
]

MOST_TAGS = 100
MOST_MEMBERS = 100
DEEPEST_GROUP = 20
_ALWAYS_KNOWN = frozenset({"kind", "name"})


class AccountIsWithdrawn(BrokenRule):
    sentence = "The account left the books when its conversion was reverted; nothing can change it."


class GroupsHaveNoCycles(BrokenRule):
    sentence = "An account cannot stand below itself in its group."


class GroupsStayShallow(LimitReached):
    sentence = f"A group has at most {DEEPEST_GROUP} levels."


class MembershipsEndInTheFuture(BrokenRule):
    sentence = "A team membership cannot end before it begins."


class TagsStayFew(LimitReached):
    sentence = f"An account has at most {MOST_TAGS} tags."


class TeamsStaySmall(LimitReached):
    sentence = f"A team has at most {MOST_MEMBERS} members."


@dataclass(frozen=True, kw_only=True)
class Account:
    """A customer relation: who they are, who looks after them, and how far it has come."""

    profile: Profile
    owner_id: str | None = None
    unit_id: str | None = None
    parent_id: str | None = None
    relation: str | None = None
    lead_id: str | None = None
    team: Mapping[str, TeamMemberAdded] = field(default_factory=lambda: MappingProxyType({}))
    tags: frozenset[str] = frozenset()
    milestones: frozenset[Milestone] = frozenset()
    lifecycle: Lifecycle = Lifecycle.POTENTIAL
    lifecycle_since: datetime | None = None
    withdrawn: bool = False

    @staticmethod
    def open(command: OpenAccount) -> list[Event]:
        opener = None if command.envelope.import_id else command.by.id
        return [
            AccountOpened(
                **reachable(profile_of(command, ACCOUNT_FIELDS), command.phone_country),
                owner_id=command.owner_id or opener,
                unit_id=command.unit_id,
                parent_id=command.parent_id,
                channel=command.channel,
                campaign_id=command.campaign_id,
                source=command.source,
                external_id=command.external_id,
            )
        ]

    @staticmethod
    def open_converted(command: OpenConvertedAccount) -> list[Event]:
        return [
            AccountOpened(
                kind=command.kind,
                name=command.account_name,
                addresses=(command.address,) if command.address else None,
                phones=command.phones,
                emails=command.emails,
                industry=command.industry,
                region=command.region,
                introduction=command.need,
                owner_id=command.owner_id,
                unit_id=command.unit_id,
                lead_id=command.lead_id,
                channel=command.channel,
                campaign_id=command.campaign_id,
                source=command.source,
                external_id=command.external_id,
            )
        ]

    def change(self, command: ChangeAccount) -> list[Event]:
        self.must_be_in_the_books()
        wishes = reachable(profile_of(command, ACCOUNT_FIELDS), command.phone_country)
        after, changed = amended(self.profile, wishes, command.clear, kept=_ALWAYS_KNOWN)
        return [AccountProfileChanged(**after, changed=changed)] if changed else []

    def set_parent(self, command: SetAccountParent, ancestors: Sequence[str]) -> list[Event]:
        """Place it below `command.parent_id`, whose own parents, nearest first, are `ancestors`."""
        self.must_be_in_the_books()
        parents = [command.parent_id, *ancestors] if command.parent_id else []
        if command.account_id in parents:
            raise GroupsHaveNoCycles(path=parents)
        if len(parents) >= DEEPEST_GROUP:
            raise GroupsStayShallow(limit=DEEPEST_GROUP)
        if (command.parent_id, command.relation) == (self.parent_id, self.relation):
            return []
        return [
            AccountParentSet(
                parent_id=command.parent_id,
                previous_parent_id=self.parent_id,
                relation=command.relation,
            )
        ]

    def assign_owner(self, command: AssignAccountOwner) -> list[Event]:
        self.must_be_in_the_books()
        unit_id = command.unit_id or self.unit_id
        if (command.owner_id, unit_id) == (self.owner_id, self.unit_id):
            return []
        return [
            AccountOwnerChanged(
                owner_id=command.owner_id,
                unit_id=unit_id,
                previous_owner_id=self.owner_id,
                reason=command.reason,
            )
        ]

    def add_member(self, command: AddTeamMember) -> list[Event]:
        self.must_be_in_the_books()
        if command.expires_at is not None and command.expires_at <= command.at:
            raise MembershipsEndInTheFuture(expires_at=command.expires_at.isoformat())
        if command.employee_id not in self.team and len(self.team) >= MOST_MEMBERS:
            raise TeamsStaySmall(limit=MOST_MEMBERS)
        membership = TeamMemberAdded(
            employee_id=command.employee_id,
            access=command.access,
            role=command.role,
            expires_at=command.expires_at,
        )
        return [] if self.team.get(command.employee_id) == membership else [membership]

    def remove_member(self, command: RemoveTeamMember) -> list[Event]:
        if command.employee_id not in self.team:
            raise NotFound("team member", command.employee_id)
        return [TeamMemberRemoved(employee_id=command.employee_id, because=TeamRemoval.REMOVED)]

    def expire_member(self, command: ExpireTeamMember) -> list[Event]:
        membership = self.team.get(command.employee_id)
        if membership is None or membership.expires_at is None:
            return []
        if membership.expires_at > command.at:
            return []
        return [TeamMemberRemoved(employee_id=command.employee_id, because=TeamRemoval.EXPIRED)]

    def tag(self, command: TagAccount) -> list[Event]:
        self.must_be_in_the_books()
        if command.tag in self.tags:
            return []
        if len(self.tags) >= MOST_TAGS:
            raise TagsStayFew(limit=MOST_TAGS)
        return [AccountTagged(tag=command.tag)]

    def untag(self, command: UntagAccount) -> list[Event]:
        self.must_be_in_the_books()
        return [AccountUntagged(tag=command.tag)] if command.tag in self.tags else []

    def reach(self, command: ReachMilestone) -> list[Event]:
        self.must_be_in_the_books()
        if command.milestone in self.milestones and command.note is None:
            return []
        return [AccountMilestoneReached(milestone=command.milestone, note=command.note)]

    def follow(self, deals: CustomerDeals, at: datetime) -> list[Event]:
        """Let the lifecycle follow what the customer buys, and does not buy."""
        since = self.latest(at)
        stage = deals.lifecycle(since)
        if self.withdrawn or stage is self.lifecycle:
            return []
        moved = AccountLifecycleMoved(from_stage=self.lifecycle, to_stage=stage, since=since)
        if stage is not Lifecycle.POTENTIAL and Milestone.SIGNED not in self.milestones:
            return [moved, AccountMilestoneReached(milestone=Milestone.SIGNED)]
        return [moved]

    def latest(self, at: datetime) -> datetime:
        """Return `at`, or when the lifecycle last moved: late entries turn nothing back."""
        return max(at, self.lifecycle_since or at)

    def withdraw(self, command: WithdrawConversion) -> list[Event]:
        if self.withdrawn or self.lead_id != command.lead_id:
            return []
        return [AccountWithdrawn(lead_id=command.lead_id, reason=command.reason)]

    def must_be_in_the_books(self) -> None:
        if self.withdrawn:
            raise AccountIsWithdrawn

    @staticmethod
    def evolve(state: "Account | None", event: Event) -> "Account | None":
        if isinstance(event, AccountOpened):
            return Account(
                profile=profile_of(event, ACCOUNT_FIELDS),
                owner_id=event.owner_id,
                unit_id=event.unit_id,
                parent_id=event.parent_id,
                lead_id=event.lead_id,
            )
        return None if state is None else _after(state, event)


def _after(account: Account, event: Event) -> Account:
    match event:
        case AccountProfileFact():
            return replace(account, profile=profile_of(event, ACCOUNT_FIELDS))
        case AccountParentSet():
            return replace(account, parent_id=event.parent_id, relation=event.relation)
        case AccountOwnerChanged():
            return replace(account, owner_id=event.owner_id, unit_id=event.unit_id)
        case TeamMemberAdded():
            return replace(account, team={**account.team, event.employee_id: event})
        case TeamMemberRemoved():
            rest = {who: how for who, how in account.team.items() if who != event.employee_id}
            return replace(account, team=rest)
        case AccountTagged():
            return replace(account, tags=account.tags | {event.tag})
        case AccountUntagged():
            return replace(account, tags=account.tags - {event.tag})
        case AccountMilestoneReached():
            return replace(account, milestones=account.milestones | {event.milestone})
        case AccountLifecycleMoved():
            return replace(account, lifecycle=event.to_stage, lifecycle_since=event.since)
        case AccountWithdrawn():
            return replace(account, withdrawn=True)
    return account
