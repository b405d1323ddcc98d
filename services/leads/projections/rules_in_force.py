"""Rules in force: what counts as a duplicate, what scores, and who gets new leads."""

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import JSON, Column, Integer, MetaData, String, Table, select

from services.leads.domain.assignment import ASSIGNMENT_RULES, AssignmentRules
from services.leads.domain.duplicates import DUPLICATE_RULES, DuplicateRules
from services.leads.domain.scoring import SCORING_RULES, ScoringRules
from shared.chassis.shapes import Key, Projection, Query, Reader, Row, View
from shared.events.base import Recorded
from shared.events.leads import (
    AssignmentRule,
    AssignmentRulesConfigured,
    DuplicateRule,
    DuplicateRulesConfigured,
    GradeThreshold,
    ScoringRule,
    ScoringRulesConfigured,
)

__all__ = [
    "RulesInForce",
    "get_assignment_rules",
    "get_duplicate_rules",
    "get_scoring_rules",
]

V = TypeVar("V", bound=View)

rules_in_force = Table(
    "rules_in_force",
    MetaData(),
    Column("name", String, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("rules", JSON, nullable=False),
    Column("grades", JSON),
)


class RulesInForce(Projection):
    """The latest version of each set of rules."""

    table = rules_in_force
    version = 1
    events = (DuplicateRulesConfigured, ScoringRulesConfigured, AssignmentRulesConfigured)

    @staticmethod
    def keys(recorded: Recorded[Any]) -> Iterable[Key]:
        return [(recorded.stream_id,)]

    @staticmethod
    def fold(key: Key, row: Row | None, recorded: Recorded[Any]) -> Row | None:
        said = recorded.event.model_dump(mode="json")
        return {
            "name": key[0],
            "version": recorded.version,
            "rules": said["rules"],
            "grades": said.get("grades"),
        }


class DuplicateRulesView(View):
    """What counts as a duplicate, in the order the rules are tried."""

    version: int
    """0 while nothing is configured and the default applies."""
    rules: tuple[DuplicateRule, ...]


class ScoringRulesView(View):
    """What makes a lead promising."""

    version: int
    """0 while nothing is configured and the default applies."""
    rules: tuple[ScoringRule, ...]
    grades: tuple[GradeThreshold, ...]


class AssignmentRulesView(View):
    """Who gets new leads, in the order the rules are tried."""

    version: int
    """0 while nothing is configured."""
    rules: tuple[AssignmentRule, ...]


class GetDuplicateRules(Query, http="GET /v1/lead-rules/duplicates"):
    """Return the rules that tell duplicates."""


class GetScoringRules(Query, http="GET /v1/lead-rules/scoring"):
    """Return the rules that score leads."""


class GetAssignmentRules(Query, http="GET /v1/lead-rules/assignment"):
    """Return the rules that give new leads to people and pools."""


def get_duplicate_rules(query: GetDuplicateRules, reader: Reader) -> DuplicateRulesView:  # noqa: ARG001
    default = DuplicateRules()
    return _configured(reader, DUPLICATE_RULES, DuplicateRulesView) or DuplicateRulesView(
        version=default.version, rules=default.rules
    )


def get_scoring_rules(query: GetScoringRules, reader: Reader) -> ScoringRulesView:  # noqa: ARG001
    default = ScoringRules()
    return _configured(reader, SCORING_RULES, ScoringRulesView) or ScoringRulesView(
        version=default.version, rules=default.rules, grades=default.grades
    )


def get_assignment_rules(query: GetAssignmentRules, reader: Reader) -> AssignmentRulesView:  # noqa: ARG001
    default = AssignmentRules()
    return _configured(reader, ASSIGNMENT_RULES, AssignmentRulesView) or AssignmentRulesView(
        version=default.version, rules=default.rules
    )


def _configured(reader: Reader, name: str, view: type[V]) -> V | None:
    statement = select(rules_in_force).where(rules_in_force.c.name == name)
    row = reader.connection.execute(statement).mappings().first()
    return view.model_validate(dict(row)) if row else None
