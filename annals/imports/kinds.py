"""What can be imported: each kind's command, and the ids by which kinds refer to each other."""

from dataclasses import dataclass

from uuid_utils import UUID, uuid5

from services.accounts.commands import AddContact, OpenAccount
from services.billing.commands import ImportContract, ImportPayment
from services.leads.commands import ChangeLead, ConvertLead, ImportLead
from services.pipeline.commands import DefineProduct, DefineSalesProcess, ImportOpportunity
from services.support.commands import ImportTicket
from shared.chassis.shapes import Command

__all__ = ["FINAL", "KINDS", "Kind", "command_id", "record_id"]

_NAMESPACE = UUID("6f3f3a3e-3f0c-5d5e-8f0a-1d9b0f4d7c55")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What one row, or one group of rows, becomes.

    Args:
        name: as mappings and the command line call it.
        context: the service that carries the command out.
        command: what is asked of it.
        id_field: the command's field for the id of what it creates, if it creates something.
        region_field: the command's field for the country of phone numbers.
        final: whether a file can be imported as this kind; others only come before one.
    """

    name: str
    context: str
    command: type[Command]
    id_field: str | None = None
    region_field: str | None = None
    final: bool = True

    @property
    def keeps_origin(self) -> bool:
        """Whether the command says which record of which system it comes from."""
        return "external_id" in self.command.model_fields

    @property
    def filled(self) -> frozenset[str]:
        """The fields that the import fills itself."""
        origin = {"source", "external_id"} if self.keeps_origin else set()
        return frozenset(origin | {name for name in (self.id_field, self.region_field) if name})


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            name="leads",
            context="leads",
            command=ImportLead,
            id_field="lead_id",
            region_field="phone_country",
        ),
        Kind(
            name="accounts",
            context="accounts",
            command=OpenAccount,
            id_field="account_id",
            region_field="phone_country",
        ),
        Kind(
            name="contacts",
            context="accounts",
            command=AddContact,
            id_field="contact_id",
            region_field="phone_country",
        ),
        Kind(
            name="products",
            context="pipeline",
            command=DefineProduct,
            id_field="product_id",
        ),
        Kind(
            name="opportunities",
            context="pipeline",
            command=ImportOpportunity,
            id_field="opportunity_id",
        ),
        Kind(
            name="contracts",
            context="billing",
            command=ImportContract,
            id_field="contract_id",
        ),
        Kind(
            name="payments",
            context="billing",
            command=ImportPayment,
            id_field="payment_id",
        ),
        Kind(
            name="tickets",
            context="support",
            command=ImportTicket,
            id_field="ticket_id",
        ),
        Kind(
            name="lead_changes",
            context="leads",
            command=ChangeLead,
            region_field="phone_country",
            final=False,
        ),
        Kind(name="conversions", context="leads", command=ConvertLead, final=False),
        Kind(name="processes", context="pipeline", command=DefineSalesProcess, final=False),
    )
}

FINAL = tuple(kind.name for kind in KINDS.values() if kind.final)
"""The kinds a file can be imported as."""


def record_id(kind: str, source: str, external_id: str) -> str:
    """Return the id under which an import enters a record: the same wherever it is referred to."""
    return str(uuid5(_NAMESPACE, f"{kind}\x1f{source}\x1f{external_id}"))


def command_id(record: str) -> str:
    """Return the id of the command that enters a record, which makes entering it idempotent."""
    return f"import:{record}"
