"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

from shared.chassis.migrations.first import create_chassis, create_deadlines

revision = "0001"
down_revision = None
expands = False


def upgrade() -> None:
    create_chassis()
    create_deadlines()
    op.create_table(
        "contracts",
        sa.Column("contract_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(collation="C"), nullable=False),
        sa.Column("title", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("quote_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("net", sa.Numeric(20, 4), nullable=False),
        sa.Column("tax", sa.Numeric(20, 4), nullable=False),
        sa.Column("total", sa.Numeric(20, 4), nullable=False),
        sa.Column("invoiced", sa.Numeric(20, 4), nullable=False),
        sa.Column("paid", sa.Numeric(20, 4), nullable=False),
        sa.Column("outstanding", sa.Numeric(20, 4), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("starts_on", sa.Date()),
        sa.Column("ends_on", sa.Date()),
        sa.Column("signed_on", sa.Date()),
        sa.Column("ended_on", sa.Date()),
        sa.Column("our_party", sa.String(collation="C")),
        sa.Column("contact_id", sa.String(collation="C")),
        sa.Column("delivery_address", sa.JSON()),
        sa.Column("terms", sa.String(collation="C")),
        sa.Column("sla_policy_id", sa.String(collation="C")),
        sa.Column("time_zone", sa.String(collation="C"), nullable=False),
        sa.Column("amendments", sa.BigInteger(), nullable=False),
        sa.Column("renews_id", sa.String(collation="C")),
        sa.Column("renewed_by_id", sa.String(collation="C")),
        sa.Column("documents", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("contract_id", name="contracts_pkey"),
    )
    op.create_index("contracts_by_account", "contracts", ["account_id", "drafted_at"])
    op.create_index("contracts_by_drafted_at", "contracts", ["drafted_at", "contract_id"])
    op.create_index("contracts_by_opportunity", "contracts", ["opportunity_id"])
    op.create_index("contracts_by_owner", "contracts", ["owner_id", "status"])
    op.create_index("contracts_by_status", "contracts", ["status", "drafted_at"])
    op.create_table(
        "employee_units",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employee_units_pkey"),
    )
    op.create_table(
        "exchange_rates",
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("reporting_currency", sa.String(collation="C"), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("rate", sa.String(collation="C"), nullable=False),
        sa.Column("rate_source", sa.String(collation="C")),
        sa.PrimaryKeyConstraint(
            "currency", "reporting_currency", "valid_from", name="exchange_rates_pkey"
        ),
    )
    op.create_table(
        "instalments",
        sa.Column("instalment_id", sa.String(collation="C"), nullable=False),
        sa.Column("contract_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(20, 4), nullable=False),
        sa.Column("paid", sa.Numeric(20, 4), nullable=False),
        sa.Column("outstanding", sa.Numeric(20, 4), nullable=False),
        sa.Column("due_on", sa.Date()),
        sa.Column("milestone", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("settled_on", sa.Date()),
        sa.PrimaryKeyConstraint("instalment_id", name="instalments_pkey"),
    )
    op.create_index("instalments_by_account", "instalments", ["account_id", "due_on"])
    op.create_index("instalments_by_contract", "instalments", ["contract_id", "number"])
    op.create_index("instalments_by_status", "instalments", ["status", "due_on"])
    op.create_table(
        "invoices",
        sa.Column("invoice_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("kind", sa.String(collation="C"), nullable=False),
        sa.Column("title", sa.String(collation="C")),
        sa.Column("tax_number", sa.String(collation="C")),
        sa.Column("billing_address", sa.JSON()),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("net", sa.Numeric(20, 4), nullable=False),
        sa.Column("tax", sa.Numeric(20, 4), nullable=False),
        sa.Column("total", sa.Numeric(20, 4), nullable=False),
        sa.Column("credited", sa.Numeric(20, 4), nullable=False),
        sa.Column("paid", sa.Numeric(20, 4), nullable=False),
        sa.Column("outstanding", sa.Numeric(20, 4), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("instalment_ids", sa.JSON(), nullable=False),
        sa.Column("credit_notes", sa.JSON(), nullable=False),
        sa.Column("due_on", sa.Date()),
        sa.Column("issued_on", sa.Date()),
        sa.Column("settled_on", sa.Date()),
        sa.Column("reason", sa.String(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name="invoices_pkey"),
    )
    op.create_index("invoices_by_account", "invoices", ["account_id", "applied_at"])
    op.create_index("invoices_by_applied_at", "invoices", ["applied_at", "invoice_id"])
    op.create_index("invoices_by_contract", "invoices", ["contract_id"])
    op.create_index("invoices_by_number", "invoices", ["number"])
    op.create_index("invoices_by_status", "invoices", ["status", "due_on"])
    op.create_table(
        "payment_plans",
        sa.Column("plan_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("contract_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("total", sa.Numeric(20, 4), nullable=False),
        sa.Column("time_zone", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("plan_id", name="payment_plans_pkey"),
    )
    op.create_table(
        "payments",
        sa.Column("payment_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("opportunity_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(20, 4), nullable=False),
        sa.Column("unallocated", sa.Numeric(20, 4), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("method", sa.String(collation="C"), nullable=False),
        sa.Column("reference", sa.String(collation="C")),
        sa.Column("payer", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("allocations", sa.JSON(), nullable=False),
        sa.Column("reversed_on", sa.Date()),
        sa.Column("reversal_reason", sa.String(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("payment_id", name="payments_pkey"),
    )
    op.create_index("payments_by_account", "payments", ["account_id", "value_date"])
    op.create_index("payments_by_contract", "payments", ["contract_id"])
    op.create_index("payments_by_value_date", "payments", ["value_date", "payment_id"])
    op.create_table(
        "postings",
        sa.Column("posting_id", sa.String(collation="C"), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("ledger_account", sa.String(collation="C"), nullable=False),
        sa.Column("side", sa.String(collation="C"), nullable=False),
        sa.Column("amount", sa.Numeric(20, 4), nullable=False),
        sa.Column("balance", sa.Numeric(20, 4), nullable=False),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("value_date", sa.Date(), nullable=False),
        sa.Column("about", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("contract_id", sa.String(collation="C")),
        sa.Column("invoice_id", sa.String(collation="C")),
        sa.Column("payment_id", sa.String(collation="C")),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("posting_id", "line", name="postings_pkey"),
    )
    op.create_index("postings_by_account", "postings", ["account_id", "value_date"])
    op.create_index("postings_by_ledger_account", "postings", ["ledger_account", "currency"])
    op.create_index(
        "postings_by_value_date", "postings", ["value_date", "posted_at", "posting_id", "line"]
    )
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
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
