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
        "employees",
        sa.Column("employee_id", sa.String(collation="C"), nullable=False),
        sa.Column("number", sa.String(collation="C")),
        sa.Column("name", sa.String(collation="C")),
        sa.Column("email", sa.String(collation="C")),
        sa.Column("phone", sa.String(collation="C")),
        sa.Column("language", sa.String(collation="C")),
        sa.Column("time_zone", sa.String(collation="C")),
        sa.Column("status", sa.String(collation="C"), nullable=False),
        sa.Column("unit_id", sa.String(collation="C")),
        sa.Column("position", sa.String(collation="C")),
        sa.Column("manager_id", sa.String(collation="C")),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("joined_on", sa.Date(), nullable=False),
        sa.Column("left_on", sa.Date()),
        sa.Column("postings", sa.JSON(), nullable=False),
        sa.Column("next_posting", sa.JSON()),
        sa.Column("leaves", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(collation="C")),
        sa.Column("external_id", sa.String(collation="C")),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("employee_id", name="employees_pkey"),
    )
    op.create_index("employees_by_name", "employees", ["name"])
    op.create_index("employees_by_unit", "employees", ["unit_id", "status"])
    op.create_table(
        "inbox",
        sa.Column("notification_id", sa.String(collation="C"), nullable=False),
        sa.Column("recipient_id", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.String(collation="C"), nullable=False),
        sa.Column("about_kind", sa.String(collation="C"), nullable=False),
        sa.Column("about_id", sa.String(collation="C"), nullable=False),
        sa.Column("title", sa.String(collation="C")),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True)),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", name="inbox_pkey"),
    )
    op.create_index("inbox_by_recipient", "inbox", ["recipient_id", "is_read", "sent_at"])
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
        "roles",
        sa.Column("role", sa.String(collation="C"), nullable=False),
        sa.Column("title", sa.String(collation="C"), nullable=False),
        sa.Column("rights", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("scope", sa.String(collation="C"), nullable=False),
        sa.Column("unit_ids", sa.JSON(), nullable=False),
        sa.Column("is_retired", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("role", name="roles_pkey"),
    )
    op.create_table(
        "unit_tree",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.PrimaryKeyConstraint("unit_id", name="unit_tree_pkey"),
    )
    op.create_table(
        "units",
        sa.Column("unit_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.String(collation="C"), nullable=False),
        sa.Column("parent_id", sa.String(collation="C")),
        sa.Column("head_id", sa.String(collation="C")),
        sa.Column("region", sa.String(collation="C")),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("unit_id", name="units_pkey"),
    )
    op.create_index("ix_units_name", "units", ["name"])
    op.create_index("ix_units_parent_id", "units", ["parent_id"])
