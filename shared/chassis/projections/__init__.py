"""Read models: the engine that folds facts into rows, lists over them, rebuilding and proof."""

from shared.chassis.projections.projector import Projector

__all__ = ["Projector"]
