"""What an import does with rows: takes each in once, with its own time, or says why not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.leads.commands import ConfigureDuplicateRules
from shared.chassis.testing import issue
from shared.events.leads import DuplicateMatch, DuplicateOutcome, DuplicateRule
from tests.imports.conftest import LEADS_MAPPING, Office

TWO = """id,met,name,phone,mail
1,2024-03-01 09:30:00,王小明,138 0013 8000,wang@example.cn.com
2,2024-03-02,Ada Okafor,+44 20 7946 0958,
"""


def test_a_row_becomes_a_fact_with_its_own_time_and_the_name_of_its_import(office: Office) -> None:
    outcome = office.take_in("leads", TWO)
    assert outcome.counts == (2, 0, 0)
    first, second = office.facts("leads", "LeadCaptured")
    assert first.event.name == "王小明"
    assert first.event.phones == ("+8613800138000",)
    assert (first.event.source, first.event.external_id) == ("fair", "1")
    assert first.occurred_at == datetime(2024, 3, 1, 1, 30, tzinfo=UTC)
    assert second.occurred_at == datetime(2024, 3, 1, 16, tzinfo=UTC)
    assert second.event.phones == ("+442079460958",)
    assert second.event.emails is None
    assert {fact.import_id for fact in (first, second)} == {outcome.report.import_id}
    assert {fact.actor for fact in (first, second)} == {"clerk"}
    assert first.recorded_at > first.occurred_at


def test_a_second_run_adds_nothing(office: Office) -> None:
    office.take_in("leads", TWO)
    before = len(office.facts("leads"))
    outcome = office.take_in("leads", TWO)
    assert outcome.counts == (0, 2, 0)
    assert len(office.facts("leads")) == before


def test_a_longer_file_adds_only_what_is_new(office: Office) -> None:
    office.take_in("leads", TWO)
    outcome = office.take_in("leads", TWO + "3,2024-03-03,Lin,,lin@example.org.cn\n")
    assert outcome.counts == (1, 2, 0)


def test_rejected_rows_keep_their_cells_their_place_and_every_reason(office: Office) -> None:
    outcome = office.take_in("leads", TWO + "3,yesterday,Lin,12,not-a-mail\n")
    assert outcome.counts == (2, 0, 1)
    (row,) = outcome.rejects
    assert row["row"] == "4"
    assert row["reasons"] == "occurred_at: 'yesterday' is no date as ISO 8601 writes it"
    assert [row[name] for name in ("id", "met", "name", "phone", "mail")] == [
        "3", "yesterday", "Lin", "12", "not-a-mail"
    ]  # fmt: skip
    assert outcome.report.tally.reasons == {"occurred_at": 1}


def test_what_the_context_refuses_is_named_by_field(office: Office) -> None:
    outcome = office.take_in("leads", TWO + "3,2024-03-03,Lin,12,not-a-mail\n")
    (reasons,) = outcome.reasons
    assert "phones.0: " in reasons
    assert "emails.0: " in reasons


def test_the_duplicate_rules_hold_for_imports_too(office: Office) -> None:
    outcome = office.take_in("leads", TWO + "3,2024-03-03,Someone else,13800138000,\n")
    assert outcome.counts == (2, 0, 1)
    assert outcome.reasons[0].startswith("DuplicateLead: ")


def test_the_rejects_file_can_be_corrected_and_imported(office: Office) -> None:
    office.take_in("leads", TWO + "3,yesterday,Lin,,lin@example.org.cn\n")
    rejects = office.folder / "rejects.csv"
    corrected = rejects.read_text("utf-8-sig").replace("yesterday", "2024-03-03")
    outcome = office.take_in("leads", office.write("corrected.csv", corrected))
    assert outcome.counts == (1, 0, 0)
    assert not rejects.exists()


def test_an_external_id_that_stands_twice_is_rejected_not_lost(office: Office) -> None:
    outcome = office.take_in("leads", TWO + "1,2024-03-05,Another,,other@example.org.cn\n")
    assert outcome.counts == (2, 0, 1)
    assert outcome.reasons == ["external_id: '1' is that of row 2 too"]


def test_a_row_without_an_external_id_is_rejected(office: Office) -> None:
    outcome = office.take_in("leads", TWO + " ,2024-03-05,Another,,other@example.org.cn\n")
    assert outcome.reasons == ["external_id: says nothing"]


@pytest.mark.parametrize(
    ("met", "reason"),
    [
        ("2024-02-30", "is no date"),
        ("", "occurred_at: says nothing"),
        ("2999-01-01", "lies in the future"),
        ("0001-01-01", "is beyond the calendar"),
        ("9999999999999", "is no date"),
    ],
)
def test_impossible_dates_are_rejected(office: Office, met: str, reason: str) -> None:
    outcome = office.take_in("leads", f"id,met,name,phone,mail\n1,{met},Lin,,\n")
    assert outcome.counts == (0, 0, 1)
    assert reason in outcome.reasons[0]


def test_a_record_that_refers_to_a_later_one_waits_for_it(office: Office) -> None:
    mapping = """
kind: accounts
source: books
external_id: name
fields:
  name: name
  parent_id: {id_of: accounts, of: parent}
"""
    table = "name,parent\nleaf,branch\nbranch,root\nroot,\nlost,nobody\n"
    outcome = office.take_in("accounts", table, mapping)
    assert outcome.counts == (3, 0, 1)
    opened = {fact.event.name: fact for fact in office.facts("accounts", "AccountOpened")}
    assert opened["leaf"].event.parent_id == opened["branch"].stream_id
    assert outcome.rejects[0]["name"] == "lost"
    assert outcome.reasons[0].startswith("NotFound: ")


def test_kinds_refer_to_each_other_by_external_id(office: Office) -> None:
    office.take_in(
        "accounts",
        "no,name\n7,Acme\n",
        "{kind: accounts, source: erp, external_id: no, fields: {name: name}}",
    )
    contacts = """
kind: contacts
source: erp
external_id: id
fields:
  name: name
  account_id: {id_of: accounts, of: company, must_exist: true}
"""
    outcome = office.take_in("contacts", "id,name,company\n1,Ada,7\n2,Bob,8\n", contacts)
    assert outcome.counts == (1, 0, 1)
    (account,) = office.facts("accounts", "AccountOpened")
    (contact,) = office.facts("accounts", "ContactAdded")
    assert contact.event.account_id == account.stream_id
    assert outcome.reasons == ["account_id: accounts from erp include no '8'"]


def test_one_row_can_make_several_records(office: Office) -> None:
    office.take_in("leads", TWO)
    deals = """
kind: opportunities
source: fair
external_id: lead
occurred_at: won
fields:
  name: {join: [{constant: Deal with}, seller]}
  lead_id: {id_of: leads, of: lead}
  account_id: {id_of: accounts, of: seller}
  outcome: {constant: won}
before:
  - kind: conversions
    external_id: lead
    fields:
      lead_id: {id_of: leads, of: lead}
      account_id: {id_of: accounts, of: seller}
      owner_id: {constant: rep}
"""
    table = "lead,seller,won\n1,S-1,2024-04-01\n9,S-9,2024-04-02\n"
    outcome = office.take_in("opportunities", table, deals)
    assert outcome.counts == (1, 0, 1)
    assert outcome.reasons[0].startswith("NotFound: there is no lead ")
    (converted,) = office.facts("leads", "LeadConverted")
    (won,) = office.facts("pipeline", "OpportunityWon")
    assert won.event.account_id == converted.event.account_id
    assert won.occurred_at == converted.occurred_at == datetime(2024, 3, 31, 16, tzinfo=UTC)
    assert office.take_in("opportunities", table, deals).counts == (0, 1, 1)


def test_a_row_merged_into_a_known_record_is_referred_to_as_that(office: Office) -> None:
    leads = next(service for service in office.services if service.name == "leads")
    same_phone = DuplicateRule(
        rule="same_phone",
        fields=(DuplicateMatch(field="phones"),),
        outcome=DuplicateOutcome.MERGE,
    )
    assert leads.application is not None
    leads.application.handle(issue(ConfigureDuplicateRules(rules=(same_phone,))))
    office.take_in("leads", TWO + "3,2024-03-03,Wang Xiaoming,13800138000,\n")
    (merged,) = office.facts("leads", "StatementMerged")
    deals = """
kind: opportunities
source: fair
external_id: lead
fields: {name: lead, lead_id: {id_of: leads, of: lead}}
"""
    assert office.take_in("opportunities", "lead\n3\n", deals).counts == (1, 0, 0)
    (opened,) = office.facts("pipeline", "OpportunityOpened")
    assert opened.event.lead_id == merged.stream_id


GROUPED = """
kind: contracts
source: shop
group_by: [order, seller]
order_by: {column: item, as: integer}
external_id: {join: [order, seller], separator: "/"}
occurred_at: {column: day, row: first}
fields:
  account_id: {id_of: accounts, of: seller}
  title: {column: product, row: first}
  channel: product
  currency: {constant: BRL}
  lines:
    each:
      - object: {description: product, unit_price: price}
      - object: {description: {constant: freight}, unit_price: freight}
"""
ITEMS = """order,seller,item,product,price,freight,day
A,x,10,ten,10.00,1.50,2024-01-03
B,x,1,lone,5,,2024-01-05
A,x,2,two,2.00,0.50,2024-01-02
A,y,1,other,7,1,2024-01-04
"""


def test_rows_of_equal_keys_make_one_record_in_their_order(office: Office) -> None:
    outcome = office.take_in("contracts", ITEMS, GROUPED)
    assert outcome.counts == (3, 0, 0)
    drafted = {fact.event.external_id: fact for fact in office.facts("billing", "ContractDrafted")}
    order = drafted["A/x"].event
    assert [(line.description, str(line.unit_price)) for line in order.lines] == [
        ("two", "2.00"), ("freight", "0.50"), ("ten", "10.00"), ("freight", "1.50"),
    ]  # fmt: skip
    assert (order.title, order.channel) == ("two", "ten")
    assert drafted["A/x"].occurred_at == datetime(2024, 1, 1, 16, tzinfo=UTC)
    assert [line.description for line in drafted["B/x"].event.lines] == ["lone"]


def test_a_record_with_a_damaged_row_is_rejected_whole(office: Office) -> None:
    outcome = office.take_in("contracts", ITEMS.replace("two,2.00", "t\0o,2.00"), GROUPED)
    assert outcome.counts == (2, 0, 1)
    assert [row["item"] for row in outcome.rejects] == ["10", "2"]
    assert set(outcome.reasons) == {"row 4 holds a NUL character"}
    assert outcome.report.rejected_rows == 2


def test_a_record_whose_order_cannot_be_read_is_rejected(office: Office) -> None:
    outcome = office.take_in("contracts", ITEMS.replace(",2,two", ",second,two"), GROUPED)
    assert set(outcome.reasons) == {"order_by: 'second' is no number"}
    outcome = office.take_in("contracts", ITEMS.replace(",2,two", ",,two"), GROUPED)
    assert set(outcome.reasons) == {"order_by: says nothing in one of the rows"}


def test_another_table_can_say_what_the_row_does_not(office: Office) -> None:
    office.take_in("contracts", ITEMS, GROUPED)
    office.write("items.csv", ITEMS)
    payments = """
kind: payments
source: shop
external_id: order
occurred_at: {lookup: items, of: order, take: day}
lookups: {items: {file: items.csv, key: order}}
fields:
  account_id: {id_of: accounts, of: {lookup: items, of: order, take: seller}}
  contract_id:
    id_of: contracts
    of: {join: [order, {lookup: items, of: order, take: seller}], separator: "/"}
  amount.amount: paid
  amount.currency: {constant: BRL}
  method: {constant: card}
"""
    outcome = office.take_in("payments", "order,paid\nA,14.00\nC,1\n", payments)
    assert outcome.counts == (1, 0, 1)
    (payment,) = office.facts("billing", "PaymentReceived")
    assert str(payment.event.amount) == "14.00 BRL"
    assert "occurred_at: says nothing" in outcome.reasons[0]


def test_many_batches_keep_every_row(office: Office) -> None:
    rows = "".join(f"{n},2024-01-01,Lead {n},,lead{n}@example.org.cn\n" for n in range(1, 1203))
    outcome = office.take_in("leads", "id,met,name,phone,mail\n" + rows)
    assert outcome.counts == (1202, 0, 0)
    assert len(office.facts("leads", "LeadCaptured")) == 1202


def test_an_import_is_named_after_what_it_takes_in(office: Office, tmp_path: Path) -> None:
    first = office.take_in("leads", TWO).report.import_id
    again = office.take_in("leads", office.write("other name.csv", TWO)).report.import_id
    other = office.take_in("leads", TWO.replace("Ada", "Eve")).report.import_id
    assert first == again != other


def test_without_a_moment_of_its_own_a_row_happens_now(office: Office) -> None:
    office.take_in("leads", TWO, LEADS_MAPPING.replace("occurred_at: met\n", ""))
    fact = office.facts("leads", "LeadCaptured")[0]
    assert fact.occurred_at == fact.recorded_at
