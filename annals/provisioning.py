"""Databases and roles: what a superuser runs before the first migration."""

from collections.abc import Iterable

__all__ = ["provisioning"]

_HEAD = """\
-- One database and one role per service; no other role may connect to it.
-- Run with psql as a superuser, as often as you like. The roles get the password in the
-- environment variable ANNALS_DATABASE_PASSWORD if there is one.
\\set ON_ERROR_STOP on
\\getenv password ANNALS_DATABASE_PASSWORD
"""
_SERVICE = """
SELECT 'CREATE ROLE "{role}" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec
\\if :{{?password}}
ALTER ROLE "{role}" PASSWORD :'password';
\\endif
SELECT 'CREATE DATABASE "{role}" OWNER "{role}" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = '{role}') \\gexec
REVOKE ALL ON DATABASE "{role}" FROM PUBLIC;
"""


def provisioning(services: Iterable[str], prefix: str = "annals_") -> str:
    """Return a psql script that makes the databases and roles of services.

    Args:
        services: their names.
        prefix: what the names of databases and roles begin with.
    """
    return _HEAD + "".join(_SERVICE.format(role=prefix + name) for name in services)
