"""Migrations: the schema of a service's PostgreSQL database, revision by revision."""

from shared.chassis.migrations.schema import Schema, SchemaBusy, SchemaUnfit, Standing

__all__ = ["Schema", "SchemaBusy", "SchemaUnfit", "Standing"]
