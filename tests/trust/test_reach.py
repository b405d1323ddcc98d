"""A command on a record its sender may not see is answered as one on a record that is not there."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from sqlalchemy import update

from annals.installation import service_values
from services.accounts.commands import ChangeAccount, ChangeContact, SetAccountParent
from services.accounts.projections.account_team import account_team
from services.leads.commands import AssignLead, CaptureLead, OpenPool
from services.support.commands import MergeTicket
from services.workplace.commands import EstablishRoles
from shared.chassis.api.binder import ApiServer
from shared.chassis.api.contract import Contract
from shared.chassis.api.identity import DevelopmentIdentity, issue_token
from shared.chassis.api.reach import reach_of
from shared.chassis.service import OpenService
from shared.chassis.shapes import Actor, Command, Forbidden, NotFound
from shared.chassis.shapes.guard import EVERYTHING, Sight
from shared.chassis.testing import issue
from shared.events.base import refs_of
from shared.events.leads import MemberKind, PoolMember
from tests.analytics.life import Company, company
from tests.api.conftest import SECRET
from tests.trust.company import MATE, ME, STRANGER, opened

pytestmark = pytest.mark.capability("WRK-03")

SERVICES = {service.name: service for service in service_values()}
SELF = Sight(frozenset({ME}))
SOMEBODYS = {
    "accounts": {"account", "contact", "activity"},
    "billing": {"contract", "instalment", "invoice", "payment"},
    "leads": {"lead", "follow_up"},
    "pipeline": {"opportunity", "quote"},
    "support": {"ticket", "survey"},
    "workplace": {"notification"},
}
"""Records that somebody may be kept from, where they are at home."""


def naming(kind: type[Command], records: set[str]) -> dict[str, str]:
    """Return the fields in which a command must name one of these records."""
    return {
        name: ref.kind
        for name, info in kind.model_fields.items()
        for ref in refs_of(info)
        if info.is_required() and ref.kind in records
    }


COMMANDS = {
    f"{name}.{rpc}": (name, method.request, fields)
    for name, records in SOMEBODYS.items()
    for rpc, method in SERVICES[name].requests().items()
    if rpc not in {"ClaimLead", "ClaimManyLeads"}
    if issubclass(method.request, Command) and method.request.http
    if (fields := naming(method.request, records))
}


@pytest.fixture(scope="module")
def companies() -> Iterator[dict[str, OpenService]]:
    found = {name: opened(SERVICES[name]) for name in SOMEBODYS}
    yield found
    for service in found.values():
        service.close()


@pytest.mark.parametrize("right", COMMANDS)
def test_a_command_names_only_records_that_its_sender_sees(
    companies: dict[str, OpenService], right: str
) -> None:
    name, kind, fields = COMMANDS[right]
    check = reach_of(kind, companies[name])

    def say(people: dict[str, str], sight: Sight = SELF) -> None:
        given: dict[str, Any] = {}
        for field, record in fields.items():
            id = f"{record}-{people.get(field, ME)}"
            given[field] = (id,) if field.endswith("_ids") else id
        check(issue(kind.model_construct(**given)), Actor(id=ME), sight)

    say({})
    for field, record in fields.items():
        say({field: "that was never told of"})
        say({field: STRANGER}, EVERYTHING)
        say({field: STRANGER}, Sight(frozenset({ME, STRANGER})))
        with pytest.raises(NotFound, match=f"there is no {record} {record}-{STRANGER}"):
            say({field: STRANGER})


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("accounts", SetAccountParent(account_id="account-me", parent_id="account-stranger")),
        ("support", MergeTicket(ticket_id="ticket-me", into_id="ticket-stranger")),
    ],
)
def test_a_record_is_seen_whatever_it_is_named_as(
    companies: dict[str, OpenService], name: str, command: Command
) -> None:
    with pytest.raises(NotFound, match="-stranger"):
        reach_of(type(command), companies[name])(issue(command), Actor(id=ME), SELF)


@pytest.mark.capability("ACC-06")
@pytest.mark.parametrize(
    "command",
    [
        ChangeAccount(account_id="account-stranger", name="x"),
        ChangeContact(contact_id="contact-stranger", name="x"),
        SetAccountParent(account_id="account-me", parent_id="account-stranger"),
    ],
)
def test_a_team_member_changes_an_account_only_with_write_access(command: Command) -> None:
    service = opened(SERVICES["accounts"], account_team__access="read")

    def say() -> None:
        reach_of(type(command), service)(issue(command), Actor(id=ME), SELF)

    def joins(**member: str) -> None:
        theirs = update(account_team).where(account_team.c.account_id == "account-stranger")
        with service.views_database.transaction() as connection:
            connection.execute(theirs.values(**member))

    with pytest.raises(NotFound):
        say()
    joins(employee_id=ME)
    with pytest.raises(Forbidden, match=r"account\.write|contact\.write"):
        say()
    joins(access="write")
    say()
    service.close()


def test_the_id_chosen_for_a_new_record_is_not_looked_at(
    companies: dict[str, OpenService],
) -> None:
    command = CaptureLead(lead_id="lead-stranger", name="王芳", channel="call")
    reach_of(CaptureLead, companies["leads"])(issue(command), Actor(id=ME), SELF)


class Desk:
    """The leads of a company behind their door, where sales representatives ask."""

    def __init__(self, firm: Company, channel: grpc.Channel) -> None:
        self._firm = firm
        self._channel = channel
        self._contract = Contract.load("leads")

    def lead(self, owner: str | None = None, pool: str | None = None) -> str:
        """Return a new lead that the read models know."""
        command = CaptureLead(name="王芳", channel="call", owner_id=owner, pool_id=pool)
        lead_id = self._firm.do("leads", command).id
        self._firm.settle()
        return lead_id

    def pool(self, *members: str) -> str:
        """Return a new pool of some employees."""
        listed = tuple(PoolMember(kind=MemberKind.EMPLOYEE, id=one) for one in members)
        pool_id = self._firm.do("leads", OpenPool(name=f"of {members}", members=listed)).id
        self._firm.settle()
        return pool_id

    def assign(self, lead_id: str, owner: str) -> None:
        """Give a lead to somebody; the read models do not know yet."""
        self._firm.do("leads", AssignLead(lead_id=lead_id, owner_id=owner))

    def settle(self) -> None:
        """Let the read models know."""
        self._firm.settle()

    def ask(self, rpc_name: str, *, by: str = ME, said: str | None = None, **fields: Any) -> Any:
        """Send a command as a sales representative; return the answer, or how it was refused."""
        rpc = self._contract.rpcs[rpc_name]
        call = self._channel.unary_unary(
            rpc.path,
            request_serializer=rpc.request.SerializeToString,
            response_deserializer=rpc.response.FromString,
        )
        token = issue_token(SECRET, by, roles=["sales_rep"])
        metadata = [("authorization", f"Bearer {token}")]
        if said:
            metadata.append(("annals-command-id", said))
        try:
            return call(rpc.request(**fields), metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return error.code()


@pytest.fixture
def desk() -> Iterator[Desk]:
    firm = company()
    firm.do("workplace", EstablishRoles())
    firm.settle()
    identity = DevelopmentIdentity(SECRET, anonymous=None)
    server = ApiServer([firm.services["leads"]], identity=identity)
    server.start()
    with grpc.insecure_channel(server.address) as channel:
        yield Desk(firm, channel)
    server.stop(grace=0)
    firm.close()


def test_a_colleagues_lead_is_not_worked_on(desk: Desk) -> None:
    mine, theirs = desk.lead(owner=ME), desk.lead(owner=MATE)
    assert desk.ask("QualifyLead", lead_id=mine).id == mine
    desk.settle()
    assert desk.ask("QualifyLead", lead_id=theirs) is grpc.StatusCode.NOT_FOUND
    assert desk.ask("QualifyLead", lead_id="never-was") is grpc.StatusCode.NOT_FOUND
    assert desk.ask("QualifyLead", by=MATE, lead_id=theirs).id == theirs


def test_a_lead_is_claimed_by_a_member_of_its_pool_alone(desk: Desk) -> None:
    ours = desk.pool(ME, MATE)
    first, second = desk.lead(pool=ours), desk.lead(pool=ours)
    theirs = desk.lead(pool=desk.pool(MATE))
    assert desk.ask("ClaimLead", lead_id=theirs) is grpc.StatusCode.FAILED_PRECONDITION
    assert desk.ask("ClaimLead", lead_id=first).id == first
    several = desk.ask("ClaimManyLeads", lead_ids=[second, theirs]).outcome
    assert several[second] == "done"
    assert several[theirs].startswith("refused: ")


def test_who_is_too_late_to_claim_a_lead_is_told_so(desk: Desk) -> None:
    lead_id = desk.lead(pool=desk.pool(ME, MATE))
    assert desk.ask("ClaimLead", by=MATE, lead_id=lead_id).id == lead_id
    desk.settle()
    assert desk.ask("ClaimLead", lead_id=lead_id) is grpc.StatusCode.FAILED_PRECONDITION


def test_a_new_lead_is_worked_on_before_any_read_model_knows_it(desk: Desk) -> None:
    captured = desk.ask("CaptureLead", name="王芳", channel="call", owner_id=ME)
    assert desk.ask("QualifyLead", lead_id=captured.id).id == captured.id


def test_a_command_said_again_is_answered_alike_when_the_lead_is_out_of_sight(desk: Desk) -> None:
    lead_id = desk.lead(owner=ME)
    answered = desk.ask("QualifyLead", said="once", lead_id=lead_id)
    desk.assign(lead_id, MATE)
    desk.settle()
    assert desk.ask("QualifyLead", said="once", lead_id=lead_id).version == answered.version
    assert desk.ask("QualifyLead", said="twice", lead_id=lead_id) is grpc.StatusCode.NOT_FOUND


def test_a_refusal_waits_for_the_read_models(desk: Desk) -> None:
    """A lead given to somebody a moment ago is theirs to work on, or will be."""
    lead_id = desk.lead(owner=MATE)
    desk.assign(lead_id, ME)
    assert desk.ask("QualifyLead", lead_id=lead_id) is grpc.StatusCode.UNAVAILABLE
    with ThreadPoolExecutor(1) as beside:
        answered = beside.submit(desk.ask, "QualifyLead", lead_id=lead_id)
        while not answered.done():
            desk.settle()
        assert answered.result().id == lead_id
