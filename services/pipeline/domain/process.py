"""The ways of selling: which stages a deal goes through, and what each asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.pipeline.commands import DefineSalesProcess, StageWish
from shared.chassis.shapes import BrokenRule, FieldViolation, Invalid
from shared.events.base import Event
from shared.events.pipeline import (
    ForecastCategory,
    OpportunityDescriptionFact,
    SalesProcessDefined,
    Stage,
)

__all__ = [
    "BUILT_IN",
    "STANDARD",
    "ProcessIsForOthers",
    "ProcessVersion",
    "SalesProcess",
    "StageIsNotInTheProcess",
]

STANDARD = "standard"
_STALLS_AFTER = timedelta(days=1.5)
"""Per expected day."""
_FIELDS = frozenset(OpportunityDescriptionFact.model_fields)

BUILT_IN = SalesProcessDefined(
    process_version=0,
    name="Standard",
    stages=(
        Stage(
            stage="qualification",
            name="Qualification",
            probability=10,
            expected_days=14,
            moves_to=("needs", "proposal"),
        ),
        Stage(
            stage="needs",
            name="Needs analysis",
            probability=30,
            expected_days=14,
            moves_to=("qualification", "proposal"),
        ),
        Stage(
            stage="proposal",
            name="Proposal",
            probability=50,
            forecast=ForecastCategory.BEST_CASE,
            expected_days=21,
            moves_to=("qualification", "needs", "negotiation"),
        ),
        Stage(
            stage="negotiation",
            name="Negotiation",
            probability=75,
            forecast=ForecastCategory.COMMIT,
            expected_days=21,
            moves_to=("needs", "proposal"),
        ),
    ),
)


class StageIsNotInTheProcess(BrokenRule):
    sentence = "The sales process has no such stage."


class ProcessIsForOthers(BrokenRule):
    sentence = "The sales process is for other teams or other products."


@dataclass(frozen=True, kw_only=True)
class ProcessVersion:
    """One version of a process, as deals follow it."""

    process_id: str
    definition: SalesProcessDefined

    @property
    def version(self) -> int:
        return self.definition.process_version

    @property
    def first(self) -> Stage:
        return self.definition.stages[0]

    @property
    def last(self) -> Stage:
        return self.definition.stages[-1]

    def has(self, slug: str) -> bool:
        return any(stage.stage == slug for stage in self.definition.stages)

    def stage(self, slug: str) -> Stage:
        for stage in self.definition.stages:
            if stage.stage == slug:
                return stage
        raise StageIsNotInTheProcess(
            f"The sales process {self.definition.name} has no stage {slug}.",
            stage=slug,
            stages=[stage.stage for stage in self.definition.stages],
        )

    def must_be_for(self, unit_id: str | None, product_ids: tuple[str, ...]) -> None:
        """Refuse a deal of none of its teams, or about none of its products."""
        units, products = self.definition.unit_ids, self.definition.product_ids
        if units and unit_id is not None and unit_id not in units:
            raise ProcessIsForOthers(unit_ids=list(units))
        if products and product_ids and not {*products} & {*product_ids}:
            raise ProcessIsForOthers(product_ids=list(products))

    def moves_from(self, slug: str) -> tuple[str, ...]:
        stages = self.definition.stages
        place = stages.index(self.stage(slug))
        neighbours = stages[max(0, place - 1) : place] + stages[place + 1 : place + 2]
        return stages[place].moves_to or tuple(stage.stage for stage in neighbours)

    def stalls_at(self, stage: Stage, entered_at: datetime) -> datetime | None:
        days = stage.expected_days
        return None if days is None else entered_at + days * _STALLS_AFTER

    def entry(self, stage: Stage, at: datetime) -> dict[str, Any]:
        """Return what a fact says about a deal that enters `stage`."""
        return {
            "process_id": self.process_id,
            "process_version": self.version,
            "entered_at": at,
            "stalls_at": self.stalls_at(stage, at),
            "probability": stage.probability,
            "forecast": stage.forecast,
        }


@dataclass(frozen=True, kw_only=True)
class SalesProcess:
    """A way of selling with all its versions: a running deal keeps the one it stands in."""

    versions: Mapping[int, SalesProcessDefined]

    @staticmethod
    def define(process: "SalesProcess | None", command: DefineSalesProcess) -> list[Event]:
        """Lay down the first version, or the next one if it differs from the latest."""
        _check(command.stages)
        latest = process.versions[max(process.versions)] if process else None
        wish = SalesProcessDefined(
            process_version=latest.process_version if latest else 1,
            name=command.name,
            stages=tuple(Stage(**stage.model_dump()) for stage in command.stages),
            unit_ids=command.unit_ids,
            product_ids=command.product_ids,
        )
        if latest is None:
            return [wish]
        if wish == latest:
            return []
        return [wish.model_copy(update={"process_version": latest.process_version + 1})]

    def latest(self, process_id: str) -> ProcessVersion:
        return ProcessVersion(process_id=process_id, definition=self.versions[max(self.versions)])

    def version(self, process_id: str, version: int) -> ProcessVersion:
        return ProcessVersion(process_id=process_id, definition=self.versions[version])

    @staticmethod
    def evolve(state: "SalesProcess | None", event: Event) -> "SalesProcess | None":
        if not isinstance(event, SalesProcessDefined):
            return state
        before = state.versions if state else {}
        return SalesProcess(versions={**before, event.process_version: event})


def _check(stages: tuple[StageWish, ...]) -> None:
    known = [stage.stage for stage in stages]
    found: list[FieldViolation] = []
    for place, stage in enumerate(stages):
        at = f"stages.{place}"
        if stage.stage in known[:place]:
            found.append(FieldViolation(f"{at}.stage", f"{stage.stage} stands twice"))
        found += [
            FieldViolation(f"{at}.moves_to.{number}", f"there is no other stage {target}")
            for number, target in enumerate(stage.moves_to)
            if target not in known or target == stage.stage
        ]
        found += [
            FieldViolation(f"{at}.required_fields.{number}", f"an opportunity has no {name}")
            for number, name in enumerate(stage.required_fields)
            if name not in _FIELDS
        ]
    if found:
        raise Invalid(found)
