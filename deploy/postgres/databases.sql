-- One database and one role per service; no other role may connect to it.
-- Run with psql as a superuser, as often as you like. The roles get the password in the
-- environment variable ANNALS_DATABASE_PASSWORD if there is one.
\set ON_ERROR_STOP on
\getenv password ANNALS_DATABASE_PASSWORD

SELECT 'CREATE ROLE "annals_accounts" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_accounts') \gexec
\if :{?password}
ALTER ROLE "annals_accounts" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_accounts" OWNER "annals_accounts" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_accounts') \gexec
REVOKE ALL ON DATABASE "annals_accounts" FROM PUBLIC;

SELECT 'CREATE ROLE "annals_analytics" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_analytics') \gexec
\if :{?password}
ALTER ROLE "annals_analytics" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_analytics" OWNER "annals_analytics" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_analytics') \gexec
REVOKE ALL ON DATABASE "annals_analytics" FROM PUBLIC;

SELECT 'CREATE ROLE "annals_billing" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_billing') \gexec
\if :{?password}
ALTER ROLE "annals_billing" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_billing" OWNER "annals_billing" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_billing') \gexec
REVOKE ALL ON DATABASE "annals_billing" FROM PUBLIC;

SELECT 'CREATE ROLE "annals_leads" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_leads') \gexec
\if :{?password}
ALTER ROLE "annals_leads" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_leads" OWNER "annals_leads" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_leads') \gexec
REVOKE ALL ON DATABASE "annals_leads" FROM PUBLIC;

SELECT 'CREATE ROLE "annals_pipeline" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_pipeline') \gexec
\if :{?password}
ALTER ROLE "annals_pipeline" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_pipeline" OWNER "annals_pipeline" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_pipeline') \gexec
REVOKE ALL ON DATABASE "annals_pipeline" FROM PUBLIC;

SELECT 'CREATE ROLE "annals_support" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_support') \gexec
\if :{?password}
ALTER ROLE "annals_support" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_support" OWNER "annals_support" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_support') \gexec
REVOKE ALL ON DATABASE "annals_support" FROM PUBLIC;

SELECT 'CREATE ROLE "annals_workplace" LOGIN' WHERE NOT EXISTS (
    SELECT FROM pg_roles WHERE rolname = 'annals_workplace') \gexec
\if :{?password}
ALTER ROLE "annals_workplace" PASSWORD :'password';
\endif
SELECT 'CREATE DATABASE "annals_workplace" OWNER "annals_workplace" TEMPLATE template0 ENCODING ''UTF8'''
    ' LC_COLLATE ''C'' LC_CTYPE ''C.UTF-8''' WHERE NOT EXISTS (
    SELECT FROM pg_database WHERE datname = 'annals_workplace') \gexec
REVOKE ALL ON DATABASE "annals_workplace" FROM PUBLIC;
