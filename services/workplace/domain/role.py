"""Roles: what whoever holds them may do."""

from dataclasses import dataclass, replace
from types import MappingProxyType

from services.workplace.commands import DefineRole, RetireRole
from shared.chassis.shapes import BrokenRule
from shared.events.base import Event
from shared.events.values import Slug
from shared.events.workplace import DataScope, RoleDefined, RoleRetired

__all__ = [
    "BUILT_IN",
    "AdministratorsMayDoEverything",
    "Role",
    "RoleIsRetired",
    "define_role",
]

_ADMINISTRATOR = "administrator"


class AdministratorsMayDoEverything(BrokenRule):
    """The administrator's role can be neither narrowed nor retired."""


class RoleIsRetired(BrokenRule):
    """A retired role is not given to anybody; define it anew first."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """A bundle of rights under a name."""

    defined: RoleDefined
    is_retired: bool = False

    def retire(self, command: RetireRole) -> list[Event]:
        """Give no rights any more."""
        if command.role == _ADMINISTRATOR:
            raise AdministratorsMayDoEverything
        return [] if self.is_retired else [RoleRetired(role=command.role)]

    def must_be_in_use(self) -> None:
        """Refuse to be given to anybody once retired."""
        if self.is_retired:
            raise RoleIsRetired(role=self.defined.role)

    @staticmethod
    def evolve(state: "Role | None", event: Event) -> "Role | None":
        match event:
            case RoleDefined():
                return Role(defined=event)
            case RoleRetired() if state is not None:
                return replace(state, is_retired=True)
        return state


def define_role(role: Role | None, command: DefineRole) -> list[Event]:
    """Lay down what a role may do, or lay it down anew."""
    if command.role == _ADMINISTRATOR and "*" not in command.rights:
        raise AdministratorsMayDoEverything
    version = role.defined.role_version + 1 if role else 1
    defined = RoleDefined(**command.model_dump(), role_version=version)
    if role and not role.is_retired:
        unchanged = role.defined.model_copy(update={"role_version": version}) == defined
        return [] if unchanged else [defined]
    return [defined]


def _built_in(
    role: Slug, title: str, *rights: str, scope: DataScope = DataScope.ALL
) -> RoleDefined:
    return RoleDefined(role=role, role_version=1, title=title, rights=rights, scope=scope)


def _reads(*contexts: str) -> tuple[str, ...]:
    return tuple(f"{context}.{verb}*" for context in contexts for verb in ("Get", "List"))


_EVERYBODY = (
    "workplace.ReadNotification", "workplace.ListInbox", "workplace.GetEmployee",
    "workplace.ListEmployees", "workplace.GetUnit", "workplace.ListUnits",
)  # fmt: skip

BUILT_IN = MappingProxyType(
    {
        role.role: role
        for role in (
            _built_in(_ADMINISTRATOR, "Administrator", "*"),
            _built_in(
                "sales_rep",
                "Sales representative",
                *_EVERYBODY,
                *_reads("leads", "accounts", "pipeline", "billing", "support"),
                "analytics.*",
                "leads.CaptureLead",
                "leads.ChangeLead",
                "leads.Claim*",
                "leads.Release*",
                "leads.QualifyLead",
                "leads.NurtureLead",
                "leads.DisqualifyLead",
                "leads.ReopenLead",
                "leads.ConvertLead",
                "leads.*FollowUp",
                "accounts.OpenAccount",
                "accounts.ChangeAccount",
                "accounts.TagAccount",
                "accounts.UntagAccount",
                "accounts.*Contact*",
                "accounts.*Activity",
                "pipeline.*Opportunity",
                "pipeline.*Quote",
                "billing.DraftContract",
                "billing.ReviseContract",
                "billing.SubmitContract",
                "support.OpenTicket",
                scope=DataScope.SELF,
            ),
            _built_in(
                "sales_manager",
                "Sales manager",
                *_EVERYBODY,
                *_reads("billing", "support"),
                "leads.*",
                "accounts.*",
                "pipeline.*",
                "analytics.*",
                "billing.*Contract",
                "support.OpenTicket",
                scope=DataScope.UNIT_AND_BELOW,
            ),
            _built_in(
                "finance",
                "Finance",
                *_EVERYBODY,
                *_reads("accounts", "pipeline"),
                "billing.*",
                "analytics.*",
            ),
            _built_in(
                "service_agent",
                "Service agent",
                *_EVERYBODY,
                *_reads("accounts", "support"),
                "support.*Ticket",
                "analytics.GetCustomer*",
                "analytics.ListTimeline",
            ),
            _built_in(
                "service_manager",
                "Service manager",
                *_EVERYBODY,
                *_reads("accounts", "billing"),
                "support.*",
                "analytics.*",
            ),
            _built_in("analyst", "Analyst", *_EVERYBODY, "*.Get*", "*.List*", "analytics.*"),
            _built_in("auditor", "Auditor", *_EVERYBODY, "*.Get*", "*.List*", "analytics.*"),
        )
    }
)
"""Roles that everybody starts with; defining one of them anew replaces it."""
