"""Who gets new leads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.leads.commands import ConfigureAssignmentRules
from services.leads.domain.conditions import all_hold, unknown_fields
from services.leads.domain.scoring import KNOWN_FIELDS
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.leads import AssignmentRule, AssignmentRulesConfigured, TurnTaken

__all__ = ["ASSIGNMENT_RULES", "AssignmentRules", "Rota", "rota_id"]

ASSIGNMENT_RULES = "leads.assignment"
"""The stream of these rules."""


def rota_id(rule: AssignmentRule) -> str:
    """Return the stream of a rule's rota."""
    return f"rota:{rule.rule}"


@dataclass(frozen=True, kw_only=True)
class AssignmentRules:
    """The company's rules for who gets a new lead; the first that fits decides."""

    version: int = 0
    rules: tuple[AssignmentRule, ...] = ()

    @property
    def name(self) -> str:
        """The rules and their version, as facts name them."""
        return f"{ASSIGNMENT_RULES}@{self.version}"

    def configure(
        self, command: ConfigureAssignmentRules, is_pool: Callable[[str], bool]
    ) -> list[Event]:
        found: list[FieldViolation] = []
        for index, rule in enumerate(command.rules):
            found += unknown_fields(rule.conditions, KNOWN_FIELDS, f"rules.{index}")
            if not rule.candidate_ids and rule.pool_id is None:
                found.append(FieldViolation(f"rules.{index}", "needs candidates, a pool, or both"))
            if len(set(rule.candidate_ids)) < len(rule.candidate_ids):
                found.append(
                    FieldViolation(f"rules.{index}.candidate_ids", "name each candidate once")
                )
            if rule.pool_id is not None and not is_pool(rule.pool_id):
                found.append(
                    FieldViolation(f"rules.{index}.pool_id", f"there is no pool {rule.pool_id}")
                )
        if len({rule.rule for rule in command.rules}) < len(command.rules):
            found.append(FieldViolation("rules", "two rules have the same name"))
        if found:
            raise Invalid(found)
        if self.version and self.rules == command.rules:
            return []
        return [AssignmentRulesConfigured(rules_version=self.version + 1, rules=command.rules)]

    def fitting(self, known: Mapping[str, Any]) -> AssignmentRule | None:
        """Return the first rule whose conditions the lead meets."""
        return next((rule for rule in self.rules if all_hold(rule.conditions, known)), None)

    @staticmethod
    def evolve(state: "AssignmentRules | None", event: Event) -> "AssignmentRules | None":
        match event:
            case AssignmentRulesConfigured():
                return AssignmentRules(version=event.rules_version, rules=event.rules)
        return state


@dataclass(frozen=True, kw_only=True)
class Rota:
    """Whose turn it is: candidates get leads one after another, whoever is full is passed over."""

    turn: int = 0
    last_id: str | None = None

    def take(
        self, lead_id: str, candidate_ids: Sequence[str], has_room: Callable[[str], bool]
    ) -> list[TurnTaken]:
        """Give the lead to the next candidate with room; nothing when nobody has any."""
        start = 0
        if self.last_id in candidate_ids:
            start = candidate_ids.index(self.last_id) + 1
        in_turn = (*candidate_ids[start:], *candidate_ids[:start])
        chosen = next((candidate for candidate in in_turn if has_room(candidate)), None)
        if chosen is None:
            return []
        return [
            TurnTaken(
                turn=self.turn + 1,
                employee_id=chosen,
                lead_id=lead_id,
                candidate_ids=tuple(candidate_ids),
            )
        ]

    @staticmethod
    def evolve(state: "Rota | None", event: Event) -> "Rota | None":
        match event:
            case TurnTaken():
                return Rota(turn=event.turn, last_id=event.employee_id)
        return state
