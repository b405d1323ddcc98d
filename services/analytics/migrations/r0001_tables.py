"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

from shared.chassis.migrations.first import create_chassis

revision = "0001"
down_revision = None
expands = False


def upgrade() -> None:
    create_chassis()
    op.create_table(
        "activities",
        sa.Column("activity_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("employee_id", sa.String(collation="C")),
        sa.Column("method", sa.String(collation="C")),
        sa.Column("subject", sa.String(collation="C")),
        sa.Column("result", sa.String(collation="C")),
        sa.Column("outcome", sa.String(collation="C")),
        sa.Column("attitude", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("due_at", sa.DateTime(timezone=True)),
        sa.Column("done_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("activity_id", name="activities_pkey"),
    )
    op.create_index("activities_account", "activities", ["account_id", "done_at"])
    op.create_index("activities_employee", "activities", ["employee_id", "done_at"])
    op.create_index("activities_lead", "activities", ["lead_id"])
    op.create_table(
        "balances",
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("ledger_account", sa.String(collation="C"), nullable=False),
        sa.Column("debit", sa.Numeric(20, 4), nullable=False),
        sa.Column("credit", sa.Numeric(20, 4), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "currency", "ledger_account", name="balances_pkey"),
    )
    op.create_table(
        "concerns",
        sa.Column("entity_id", sa.String(collation="C"), nullable=False),
        sa.Column("context", sa.String(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("entity_id", "context", "position", name="concerns_pkey"),
    )
    op.create_table(
        "contact_roles",
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("contact_id", sa.String(collation="C"), nullable=False),
        sa.Column("role", sa.String(collation="C")),
        sa.Column("is_primary", sa.Boolean()),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("left_on", sa.Date()),
        sa.PrimaryKeyConstraint("account_id", "contact_id", name="contact_roles_pkey"),
    )
    op.create_table(
        "contacts",
        sa.Column("contact_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("titles", sa.JSON()),
        sa.Column("department", sa.String(collation="C")),
        sa.Column("phones", sa.JSON()),
        sa.Column("emails", sa.JSON()),
        sa.Column("birthday", sa.Date()),
        sa.Column("withdrawn", sa.Boolean()),
        sa.PrimaryKeyConstraint("contact_id", name="contacts_pkey"),
    )
    op.create_table(
        "contracts",
        sa.Column("contract_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("title", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("total", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("starts_on", sa.Date()),
        sa.Column("ends_on", sa.Date()),
        sa.Column("signed_on", sa.Date()),
        sa.Column("drafted_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("contract_id", name="contracts_pkey"),
    )
    op.create_index("contracts_account", "contracts", ["account_id"])
    op.create_table(
        "customers",
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("kind", sa.String(collation="C")),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("industry", sa.String(collation="C")),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("website", sa.String(collation="C")),
        sa.Column("phones", sa.JSON()),
        sa.Column("emails", sa.JSON()),
        sa.Column("introduction", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("team_ids", sa.JSON()),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("lifecycle", sa.String(collation="C")),
        sa.Column("milestones", sa.JSON()),
        sa.Column("tags", sa.JSON()),
        sa.Column("withdrawn", sa.Boolean()),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("account_id", name="customers_pkey"),
    )
    op.create_index("customers_name", "customers", ["name"])
    op.create_table(
        "deals",
        sa.Column("opportunity_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("process_id", sa.String(collation="C")),
        sa.Column("stage", sa.String(collation="C")),
        sa.Column("forecast", sa.String(collation="C")),
        sa.Column("probability", sa.BigInteger()),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("amount", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("team_ids", sa.JSON()),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("campaign_id", sa.String(collation="C")),
        sa.Column("product_ids", sa.JSON()),
        sa.Column("next_step", sa.String(collation="C")),
        sa.Column("expected_close_on", sa.Date()),
        sa.Column("lost_reason", sa.String(collation="C")),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("stage_since", sa.DateTime(timezone=True)),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("opportunity_id", name="deals_pkey"),
    )
    op.create_index("deals_account", "deals", ["account_id"])
    op.create_index("deals_status", "deals", ["status", "stage"])
    op.create_table(
        "employee_units",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employee_units_pkey"),
    )
    op.create_table(
        "facts",
        sa.Column("context", sa.String(collation="C"), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("topic", sa.String(collation="C"), nullable=False),
        sa.Column("stream_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(collation="C"), nullable=False),
        sa.Column("command_id", sa.String(collation="C"), nullable=False),
        sa.Column("correlation_id", sa.String(collation="C"), nullable=False),
        sa.Column("causation_id", sa.String(collation="C")),
        sa.Column("import_id", sa.String(collation="C")),
        sa.Column("rule", sa.String(collation="C")),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("context", "position", name="facts_pkey"),
    )
    op.create_index("facts_occurred", "facts", ["occurred_at"])
    op.create_index("facts_recorded", "facts", ["recorded_at"])
    op.create_table(
        "instalments",
        sa.Column("instalment_id", sa.String(collation="C"), nullable=False),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("amount", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("due_on", sa.Date()),
        sa.Column("milestone", sa.String(collation="C")),
        sa.Column("paid", sa.Numeric(20, 4)),
        sa.Column("outstanding", sa.Numeric(20, 4)),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("settled_on", sa.Date()),
        sa.PrimaryKeyConstraint("instalment_id", name="instalments_pkey"),
    )
    op.create_index("instalments_account", "instalments", ["account_id"])
    op.create_index("instalments_due", "instalments", ["status", "due_on"])
    op.create_table(
        "invoices",
        sa.Column("invoice_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("total", sa.Numeric(20, 4)),
        sa.Column("paid", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("issued_on", sa.Date()),
        sa.Column("due_on", sa.Date()),
        sa.Column("credited", sa.Numeric(20, 4)),
        sa.PrimaryKeyConstraint("invoice_id", name="invoices_pkey"),
    )
    op.create_index("invoices_account", "invoices", ["account_id"])
    op.create_table(
        "leads",
        sa.Column("lead_id", sa.String(collation="C"), nullable=False),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("campaign_id", sa.String(collation="C")),
        sa.Column("landing_page", sa.String(collation="C")),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("industry", sa.String(collation="C")),
        sa.Column("product_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("pool_id", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("score", sa.BigInteger()),
        sa.Column("grade", sa.String(collation="C")),
        sa.Column("statements", sa.BigInteger()),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("captured_at", sa.DateTime(timezone=True)),
        sa.Column("assigned_at", sa.DateTime(timezone=True)),
        sa.Column("contacted_at", sa.DateTime(timezone=True)),
        sa.Column("qualified_at", sa.DateTime(timezone=True)),
        sa.Column("converted_at", sa.DateTime(timezone=True)),
        sa.Column("won_at", sa.DateTime(timezone=True)),
        sa.Column("won_opportunity_id", sa.String(collation="C")),
        sa.Column("won_amount", sa.Numeric(20, 4)),
        sa.Column("won_currency", sa.String(collation="C")),
        sa.Column("paid_at", sa.DateTime(timezone=True)),
        sa.Column("paid_amount", sa.Numeric(20, 4)),
        sa.Column("paid_currency", sa.String(collation="C")),
        sa.Column("follow_ups", sa.BigInteger()),
        sa.Column("cost", sa.Numeric(20, 4)),
        sa.Column("cost_currency", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("lead_id", name="leads_pkey"),
    )
    op.create_index("leads_account", "leads", ["account_id"])
    op.create_index("leads_captured", "leads", ["captured_at"])
    op.create_index("leads_channel", "leads", ["channel"])
    op.create_table(
        "owner_spells",
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("since", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("account_id", "version", name="owner_spells_pkey"),
    )
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("amount", sa.Numeric(20, 4)),
        sa.Column("unallocated", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("method", sa.String(collation="C")),
        sa.Column("value_date", sa.Date()),
        sa.Column("received_at", sa.DateTime(timezone=True)),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("reversal", sa.String(collation="C")),
        sa.Column("allocations", sa.JSON()),
        sa.PrimaryKeyConstraint("payment_id", name="payments_pkey"),
    )
    op.create_index("payments_account", "payments", ["account_id"])
    op.create_index("payments_method", "payments", ["method"])
    op.create_table(
        "quotes",
        sa.Column("quote_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("revision", sa.BigInteger()),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("total", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("valid_until", sa.Date()),
        sa.PrimaryKeyConstraint("quote_id", name="quotes_pkey"),
    )
    op.create_index("quotes_account", "quotes", ["account_id"])
    op.create_index("quotes_opportunity", "quotes", ["opportunity_id"])
    op.create_table(
        "ratings",
        sa.Column("survey_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("ticket_id", sa.String(collation="C")),
        sa.Column("kind", sa.String(collation="C")),
        sa.Column("score", sa.BigInteger()),
        sa.Column("is_low", sa.Boolean()),
        sa.Column("comment", sa.String(collation="C")),
        sa.Column("given_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("survey_id", name="ratings_pkey"),
    )
    op.create_index("ratings_account", "ratings", ["account_id"])
    op.create_table(
        "role_rights",
        sa.Column("role", sa.String(collation="C"), nullable=False),
        sa.Column("patterns", sa.JSON(), nullable=False),
        sa.Column("scope", sa.String(collation="C"), nullable=False),
        sa.Column("unit_ids", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("role", name="role_rights_pkey"),
    )
    op.create_table(
        "stage_stays",
        sa.Column("opportunity_id", sa.String(collation="C"), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(collation="C")),
        sa.Column("entered_at", sa.DateTime(timezone=True)),
        sa.Column("moved_by", sa.String(collation="C")),
        sa.Column("from_stage", sa.String(collation="C")),
        sa.Column("days_in_previous", sa.Numeric(20, 4)),
        sa.PrimaryKeyConstraint("opportunity_id", "entry", name="stage_stays_pkey"),
    )
    op.create_index("stage_stays_stage", "stage_stays", ["stage"])
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("contact_id", sa.String(collation="C")),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("kind", sa.String(collation="C")),
        sa.Column("priority", sa.String(collation="C")),
        sa.Column("category", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("subject", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C")),
        sa.Column("employee_id", sa.String(collation="C")),
        sa.Column("opened_at", sa.DateTime(timezone=True)),
        sa.Column("first_response_at", sa.DateTime(timezone=True)),
        sa.Column("resolved_at", sa.DateTime(timezone=True)),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("reopened", sa.BigInteger()),
        sa.Column("response_due_at", sa.DateTime(timezone=True)),
        sa.Column("resolution_due_at", sa.DateTime(timezone=True)),
        sa.Column("response_sla", sa.String(collation="C")),
        sa.Column("resolution_sla", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("ticket_id", name="tickets_pkey"),
    )
    op.create_index("tickets_account", "tickets", ["account_id", "opened_at"])
    op.create_index("tickets_status", "tickets", ["status", "priority"])
    op.create_table(
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
