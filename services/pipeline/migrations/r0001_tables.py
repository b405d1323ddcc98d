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
        "employee_units",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employee_units_pkey"),
    )
    op.create_table(
        "opportunity_list",
        sa.Column("opportunity_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("amount", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.Column("product_ids", sa.JSON(), nullable=False),
        sa.Column("expected_close_on", sa.Date()),
        sa.Column("contacts", sa.JSON(), nullable=False),
        sa.Column("team_ids", sa.JSON(), nullable=False),
        sa.Column("next_step", sa.String(collation="C")),
        sa.Column("process_id", sa.String(collation="C"), nullable=False),
        sa.Column("process_version", sa.BigInteger(), nullable=False),
        sa.Column("stage", sa.String(collation="C"), nullable=False),
        sa.Column("stage_entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stalls_at", sa.DateTime(timezone=True)),
        sa.Column("stalled", sa.Boolean(), nullable=False),
        sa.Column("probability", sa.BigInteger(), nullable=False),
        sa.Column("forecast", sa.String(collation="C"), nullable=False),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("channel", sa.String(collation="C")),
        sa.Column("campaign_id", sa.String(collation="C")),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True)),
        sa.Column("days_open", sa.Numeric(20, 4)),
        sa.Column("loss_reason", sa.String(collation="C")),
        sa.Column("competitor", sa.String(collation="C")),
        sa.Column("review", sa.String(collation="C")),
        sa.Column("quote_id", sa.String(collation="C")),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("opportunity_id", name="opportunity_list_pkey"),
    )
    op.create_index("opportunity_list_by_account", "opportunity_list", ["account_id", "opened_at"])
    op.create_index("opportunity_list_by_name", "opportunity_list", ["name"])
    op.create_index(
        "opportunity_list_by_opened_at", "opportunity_list", ["opened_at", "opportunity_id"]
    )
    op.create_index("opportunity_list_by_owner", "opportunity_list", ["owner_id", "opened_at"])
    op.create_index(
        "opportunity_list_by_stage", "opportunity_list", ["status", "stage", "opened_at"]
    )
    op.create_index("opportunity_list_by_stall", "opportunity_list", ["status", "stalls_at"])
    op.create_table(
        "price_book_list",
        sa.Column("price_book_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("book_version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("prices", sa.JSON(), nullable=False),
        sa.Column("segment", sa.String(collation="C")),
        sa.Column("valid_from", sa.Date()),
        sa.Column("valid_until", sa.Date()),
        sa.Column("defined_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("price_book_id", name="price_book_list_pkey"),
    )
    op.create_table(
        "process_list",
        sa.Column("process_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("process_version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("stages", sa.JSON(), nullable=False),
        sa.Column("unit_ids", sa.JSON(), nullable=False),
        sa.Column("product_ids", sa.JSON(), nullable=False),
        sa.Column("defined_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("process_id", name="process_list_pkey"),
    )
    op.create_table(
        "product_list",
        sa.Column("product_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("sku", sa.String(collation="C")),
        sa.Column("category", sa.JSON(), nullable=False),
        sa.Column("unit", sa.String(collation="C"), nullable=False),
        sa.Column("specification", sa.String(collation="C")),
        sa.Column("tax_percent", sa.Numeric(20, 4)),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.Column("defined_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("product_id", name="product_list_pkey"),
    )
    op.create_index("product_list_by_name", "product_list", ["name"])
    op.create_index("product_list_by_sku", "product_list", ["sku"])
    op.create_table(
        "quote_list",
        sa.Column("quote_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(collation="C"), nullable=False),
        sa.Column("opportunity_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C")),
        sa.Column("lead_id", sa.String(collation="C")),
        sa.Column("owner_id", sa.String(collation="C")),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("net", sa.Numeric(20, 4), nullable=False),
        sa.Column("tax", sa.Numeric(20, 4), nullable=False),
        sa.Column("total", sa.Numeric(20, 4), nullable=False),
        sa.Column("currency", sa.String(collation="C"), nullable=False),
        sa.Column("price_book_id", sa.String(collation="C")),
        sa.Column("valid_until", sa.Date()),
        sa.Column("terms", sa.String(collation="C")),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True)),
        sa.Column("answered_at", sa.DateTime(timezone=True)),
        sa.Column("contact_id", sa.String(collation="C")),
        sa.Column("reason", sa.String(collation="C")),
        sa.Column("note", sa.String(collation="C")),
        sa.Column("superseded_by_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("quote_id", name="quote_list_pkey"),
    )
    op.create_index("quote_list_by_drafted_at", "quote_list", ["drafted_at", "quote_id"])
    op.create_index("quote_list_by_number", "quote_list", ["number"])
    op.create_index("quote_list_by_opportunity", "quote_list", ["opportunity_id", "drafted_at"])
    op.create_index("quote_list_by_status", "quote_list", ["status", "valid_until"])
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
        "stage_log",
        sa.Column("opportunity_id", sa.String(collation="C"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("from_stage", sa.String(collation="C")),
        sa.Column("to_stage", sa.String(collation="C"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.String(collation="C"), nullable=False),
        sa.Column("days_in_stage", sa.Numeric(20, 4)),
        sa.Column("amount", sa.Numeric(20, 4)),
        sa.Column("currency", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("opportunity_id", "version", name="stage_log_pkey"),
    )
    op.create_table(
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
