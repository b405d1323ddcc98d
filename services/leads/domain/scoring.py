"""What makes a lead promising."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import log2
from typing import Any

from services.leads.commands import ConfigureScoringRules
from services.leads.domain.conditions import all_hold, unknown_fields
from services.leads.domain.profile import PROFILE_FIELDS
from shared.chassis.shapes import FieldViolation, Invalid
from shared.events.base import Event
from shared.events.leads import (
    GradeThreshold,
    LeadScored,
    ScorePart,
    ScoringRule,
    ScoringRulesConfigured,
)
from shared.events.values import Condition, Operator

__all__ = ["KNOWN_FIELDS", "SCORING_RULES", "ScoringRules"]

SCORING_RULES = "leads.scoring"
"""The stream of these rules."""

KNOWN_FIELDS = frozenset(PROFILE_FIELDS) | {
    "attitude",
    "campaign_id",
    "channel",
    "follow_ups",
    "source",
    "statements",
    "status",
    "unit_id",
}
"""What conditions can ask of a lead."""

_BEST, _WORST = 100, 0
_RESCORE_AT_MOST = timedelta(days=7)


def _rule(
    name: str, reason: str, points: int, condition: Condition, half_life: int | None = None
) -> ScoringRule:
    return ScoringRule(
        rule=name, reason=reason, conditions=(condition,), points=points, half_life_days=half_life
    )


_DEFAULT = (
    _rule("reachable_by_phone", "has a phone number", 15,
          Condition(field="phones", operator=Operator.PRESENT)),
    _rule("reachable_by_mail", "has a mail address", 5,
          Condition(field="emails", operator=Operator.PRESENT)),
    _rule("for_a_company", "speaks for a company", 10,
          Condition(field="company", operator=Operator.PRESENT)),
    _rule("strong_need", "the need is urgent", 20,
          Condition(field="demand_level", operator=Operator.EQUALS, value="high")),
    _rule("some_need", "there is a need", 10,
          Condition(field="demand_level", operator=Operator.EQUALS, value="medium")),
    _rule("has_budget", "a budget is known", 15,
          Condition(field="budget", operator=Operator.PRESENT)),
    _rule("knows_when", "the purchase has a date", 5,
          Condition(field="expected_purchase_on", operator=Operator.PRESENT)),
    _rule("referred", "was referred", 10,
          Condition(field="channel", operator=Operator.EQUALS, value="referral")),
    _rule("came_again", "stated an interest again", 10,
          Condition(field="statements", operator=Operator.AT_LEAST, value=2), 30),
    _rule("took_it_well", "took the last conversation well", 20,
          Condition(field="attitude", operator=Operator.EQUALS, value="positive"), 30),
    _rule("took_it_badly", "took the last conversation badly", -20,
          Condition(field="attitude", operator=Operator.EQUALS, value="negative"), 30),
)  # fmt: skip
_GRADES = (
    GradeThreshold(grade="a", at_least=70),
    GradeThreshold(grade="b", at_least=45),
    GradeThreshold(grade="c", at_least=20),
    GradeThreshold(grade="d", at_least=0),
)


@dataclass(frozen=True, kw_only=True)
class ScoringRules:
    """The company's rules for how promising a lead is."""

    version: int = 0
    rules: tuple[ScoringRule, ...] = _DEFAULT
    grades: tuple[GradeThreshold, ...] = _GRADES

    @property
    def name(self) -> str:
        """The rules and their version, as facts name them."""
        return f"{SCORING_RULES}@{self.version}"

    def configure(self, command: ConfigureScoringRules) -> list[Event]:
        found: list[FieldViolation] = []
        for index, rule in enumerate(command.rules):
            found += unknown_fields(rule.conditions, KNOWN_FIELDS, f"rules.{index}")
            if rule.half_life_days is not None and rule.half_life_days < 1:
                found.append(FieldViolation(f"rules.{index}.half_life_days", "must be at least 1"))
            if abs(rule.points) > _BEST:
                found.append(FieldViolation(f"rules.{index}.points", "is at most 100"))
        if len({rule.rule for rule in command.rules}) < len(command.rules):
            found.append(FieldViolation("rules", "two rules have the same name"))
        bounds = [grade.at_least for grade in command.grades]
        if bounds != sorted(set(bounds), reverse=True) or bounds[-1] != _WORST:
            found.append(FieldViolation("grades", "must fall, each once, and end at 0"))
        if found:
            raise Invalid(found)
        if self.version and (self.rules, self.grades) == (command.rules, command.grades):
            return []
        return [
            ScoringRulesConfigured(
                rules_version=self.version + 1, rules=command.rules, grades=command.grades
            )
        ]

    def score(self, known: Mapping[str, Any], active_at: datetime, at: datetime) -> LeadScored:
        """Return the score with its explanation.

        Args:
            known: what is known of the lead, by the names in `KNOWN_FIELDS`.
            active_at: when it last showed a behaviour, from which points with a half-life fade.
            at: the moment to score for.
        """
        parts: list[ScorePart] = []
        changes: list[datetime] = []
        age = max(timedelta(), at - active_at)
        for rule in self.rules:
            if not all_hold(rule.conditions, known):
                continue
            points = rule.points
            if rule.half_life_days is not None:
                half_life = timedelta(days=rule.half_life_days)
                points = round(rule.points * 0.5 ** (age / half_life))
                if points:
                    fades = half_life * log2(abs(rule.points) / (abs(points) - 0.5))
                    changes.append(active_at + fades)
            if points:
                parts.append(ScorePart(rule=rule.rule, points=points, reason=rule.reason))
        score = min(_BEST, max(_WORST, sum(part.points for part in parts)))
        grade = next(grade.grade for grade in self.grades if score >= grade.at_least)
        return LeadScored(
            score=score,
            grade=grade,
            parts=tuple(parts),
            rules_version=self.version,
            rescore_at=max(min(changes), at + _RESCORE_AT_MOST) if changes else None,
        )

    @staticmethod
    def evolve(state: "ScoringRules | None", event: Event) -> "ScoringRules | None":
        match event:
            case ScoringRulesConfigured():
                return ScoringRules(
                    version=event.rules_version, rules=event.rules, grades=event.grades
                )
        return state
