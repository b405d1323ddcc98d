"""The kinds of records that roles restrict single fields of, and the fields there are.

Fields are columns of the read models, of all contexts, that tell of the record. Its own id is not
among them: it cannot be kept from whoever sees the record.
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from shared.events.workplace import FieldRight

__all__ = ["FIELDS", "known_field"]

_FIELDS = {
    "account": """
        addresses bank_accounts campaign_id changed_at changed_by channel custom emails
        employees external_id fax industry introduction kind lead_id legal_representative
        lifecycle lifecycle_since milestones name nature number opened_at opened_by owner_id
        parent_id phones reason region registered_capital registered_capital_currency
        relation since source tags team_ids territory unit_id version website withdrawn
    """,
    "activity": """
        account_id at attachments attitude cancelled_because companion_ids contact_ids cost
        cost_currency done_at due_at duration_minutes employee_id follow_up_id goal lead_id
        method opportunity_id outcome preparation recorded_by remarks result status subject
        version
    """,
    "contact": """
        added_at added_by addresses anniversaries assistant birthday changed_at changed_by
        custom department education emails external_id family is_primary language lead_id
        left_because left_on name phones platform_ids preferences reports_to_id role
        salutation since source titles version withdrawn
    """,
    "contract": """
        account_id amendments changed_at channel contact_id currency delivery_address
        documents drafted_at ended_on ends_on external_id invoiced lead_id lines net number
        opportunity_id our_party outstanding owner_id paid quote_id region renewed_by_id
        renews_id signed_on sla_policy_id source starts_on status tax terms time_zone title
        total unit_id version
    """,
    "employee": """
        email external_id joined_on language leaves left_on manager_id name next_posting
        number phone position postings roles source status time_zone unit_id version
    """,
    "follow_up": """
        after_id at attachments attitude cancelled_because content cost_amount cost_currency
        due_at duration_minutes employee_id fulfilled_by lead_id method next_step outcome
        owner_id plan_id state
    """,
    "instalment": """
        account_id amount contract_id currency due_on milestone number opportunity_id
        outstanding overdue owner_id paid settled_on status
    """,
    "invoice": """
        account_id applied_at billing_address contract_id credit_notes credited currency
        due_on external_id instalment_ids issued_on kind lead_id lines net number
        opportunity_id outstanding owner_id paid reason settled_on source status tax
        tax_number title total version
    """,
    "lead": """
        account_id address assigned_at budget_amount budget_currency campaign_id captured_at
        changed_at channel company contact_id contacted_at converted_at cost_currency custom
        demand_level disqualified_because emails expected_purchase_on expected_scale
        external_id follow_ups grade industry landing_page last_follow_up_at locked name
        need nurture_until opportunity_id owner_id paid_at paid_currency phones platform_ids
        pool_id product_id product_ids protected_until qualified_at recycle_at referrer
        region score score_parts source statements status status_before
        suspected_account_ids suspected_lead_ids title unit_id utm version win_probability
        won_at won_currency won_opportunity_id
    """,
    "opportunity": """
        account_id amount at by campaign_id changed_at changed_by channel closed_at
        competitor contacts currency days_in_previous days_in_stage days_open entered_at
        expected_close_on external_id forecast from_stage lead_id loss_reason lost_reason
        moved_by name next_step opened_at owner_id probability process_id process_version
        product_ids quote_id region review source stage stage_entered_at stage_since stalled
        stalls_at status team_ids to_stage unit_id version
    """,
    "payment": """
        account_id allocations amount channel contract_id currency external_id lead_id
        method opportunity_id owner_id payer received_at recorded_at reference reversal
        reversal_reason reversed_on source status unallocated value_date version
    """,
    "posting": """
        about account_id amount balance contract_id currency invoice_id ledger_account
        payment_id posted_at side value_date
    """,
    "quote": """
        account_id answered_at contact_id currency drafted_at lead_id lines net note number
        opportunity_id owner_id price_book_id reason revision sent_at status
        superseded_by_id tax terms total valid_until version
    """,
    "survey": """
        account_id answered_at comment contact_id employee_id expires_at given_at is_low
        kind score sent_at status ticket_id version
    """,
    "ticket": """
        account_id answered_at at attachments author category cause channel closed_at
        contact_id contract_id description employee_id entitlement_id external_id
        first_response_at into_id is_at_risk is_breached is_first_response is_public kind
        message number opened_at parent_id priority product_id rating rating_comment region
        reopen_until reopened requester resolution resolution_due_at resolution_sla
        resolved_at response_due_at response_sla sla_policy_id sla_version source split_from_id
        status subcategory subject unit_id version waiting_since watchers
    """,
}
FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {record: frozenset(names.split()) for record, names in _FIELDS.items()}
)
"""The names of fields by kind of record."""


def known_field(right: FieldRight) -> FieldRight:
    """Return a field right that is about a field there is.

    Args:
        right: as wished for.

    Raises:
        ValueError: no record of that kind, or none of its fields, has such a name.
    """
    kind, name = right.record, right.field
    if kind not in FIELDS:
        raise ValueError(f"there is no kind of record {kind}; {_meant(kind, FIELDS)}")
    if name not in FIELDS[kind]:
        raise ValueError(f"{kind} has no field {name}; {_meant(name, FIELDS[kind])}")
    return right


def _meant(name: str, known: Collection[str]) -> str:
    """Return what may have been meant, or what there is."""
    near = get_close_matches(name, sorted(known), n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(sorted(known))}"
