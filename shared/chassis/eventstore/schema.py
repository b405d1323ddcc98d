"""The tables and the function of a log on PostgreSQL: what a service's first migration makes.

`append_facts_v1` is the append. A function sees what was committed before each of its statements;
so once it has the log's lock it sees every earlier append, takes the positions after the last,
checks the versions a decision rests on, and stores. A change of the function is a new name beside
the old one, which is dropped when no release calls it any more.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

__all__ = ["FUNCTIONS", "LOG_LOCK", "REFUSED", "create", "metadata"]

LOG_LOCK = "pg_advisory_xact_lock(1634627169, 1)"
"""Held by every append until it is committed or rolled back."""
REFUSED = "AN001"
"""SQLSTATE of an append that does not fit what is stored."""

metadata = MetaData()
_text = String(collation="C")

Table(
    "events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("stream_id", _text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("topic", _text, nullable=False),
    Column("state", LargeBinary, nullable=False),
    UniqueConstraint("stream_id", "version", name="events_stream"),
)
Table(
    "claims",
    metadata,
    Column("scope", _text, primary_key=True),
    Column("key", _text, primary_key=True),
    Column("stream_id", _text, nullable=False),
)
Table(
    "answers",
    metadata,
    Column("command_id", _text, primary_key=True),
    Column("stream_id", _text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("outcome", LargeBinary),
)
Table(
    "subject_keys",
    metadata,
    Column("subject", _text, primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)

FUNCTIONS = (
    f"""
CREATE OR REPLACE FUNCTION append_facts_v1(
    streams text[], versions bigint[], topics text[], states bytea[],
    expected_streams text[], expected_versions bigint[],
    release_scopes text[], release_keys text[], release_streams text[],
    claim_scopes text[], claim_keys text[], claim_streams text[],
    key_subjects text[], key_wrapped bytea[],
    answer_ids text[], answer_streams text[], answer_versions bigint[], answer_events bigint[],
    answer_outcomes bytea[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    tip bigint;
    found_version bigint;
    many int := coalesce(array_length(streams, 1), 0);
BEGIN
    PERFORM {LOG_LOCK};
    SELECT coalesce(max(position), 0) INTO tip FROM events;
    FOR i IN 1 .. coalesce(array_length(expected_streams, 1), 0) LOOP
        SELECT coalesce(max(version), 0) INTO found_version
            FROM events WHERE stream_id = expected_streams[i];
        IF found_version <> expected_versions[i] THEN
            RAISE EXCEPTION '% is at version %', expected_streams[i], found_version
                USING ERRCODE = '{REFUSED}';
        END IF;
    END LOOP;
    IF many = 1 THEN
        INSERT INTO events VALUES (tip + 1, streams[1], versions[1], topics[1], states[1]);
    ELSIF many > 1 THEN
        INSERT INTO events
            SELECT tip + fact.number, fact.stream, fact.version, fact.topic, fact.state
            FROM unnest(streams, versions, topics, states) WITH ORDINALITY
            AS fact (stream, version, topic, state, number);
    END IF;
    FOR i IN 1 .. coalesce(array_length(release_scopes, 1), 0) LOOP
        DELETE FROM claims WHERE scope = release_scopes[i] AND key = release_keys[i]
            AND stream_id = release_streams[i];
        IF NOT FOUND THEN
            RAISE EXCEPTION '% is no longer held by %', release_scopes[i], release_streams[i]
                USING ERRCODE = '{REFUSED}';
        END IF;
    END LOOP;
    IF claim_scopes IS NOT NULL THEN
        INSERT INTO claims SELECT * FROM unnest(claim_scopes, claim_keys, claim_streams);
    END IF;
    IF key_subjects IS NOT NULL THEN
        INSERT INTO subject_keys SELECT * FROM unnest(key_subjects, key_wrapped);
    END IF;
    IF array_length(answer_ids, 1) = 1 THEN
        INSERT INTO answers VALUES (
            answer_ids[1], answer_streams[1], answer_versions[1], tip + answer_events[1],
            answer_outcomes[1]);
    ELSIF answer_ids IS NOT NULL THEN
        INSERT INTO answers
            SELECT answer.id, answer.stream, answer.version, tip + answer.events, answer.outcome
            FROM unnest(answer_ids, answer_streams, answer_versions, answer_events, answer_outcomes)
            AS answer (id, stream, version, events, outcome);
    END IF;
    RETURN tip;
END $$""",  # noqa: S608 - nothing from outside
)


def create(connection: Connection) -> None:
    """Create what is not there, in an open transaction; others who try at the same time wait."""
    connection.execute(text(f"SELECT {LOG_LOCK}"))
    metadata.create_all(connection)
    for function in FUNCTIONS:
        connection.execute(text(function))
