"""Whose the rows of the pipeline's read models are."""

from services.pipeline.projections.opportunity_list import opportunity_list
from services.pipeline.projections.price_book_list import price_book_list
from services.pipeline.projections.process_list import process_list
from services.pipeline.projections.product_list import product_list
from services.pipeline.projections.quote_list import quote_list
from services.pipeline.projections.stage_log import stage_log
from shared.chassis.shapes.guard import Guard, Via

__all__ = ["GUARDS"]

_WITH_OPPORTUNITY = Via(("opportunity_id",), (opportunity_list.c.opportunity_id,))

GUARDS = (
    Guard(
        table=opportunity_list,
        record="opportunity",
        owners=("owner_id",),
        members=("team_ids",),
    ),
    Guard(table=stage_log, record="opportunity", via=(_WITH_OPPORTUNITY,)),
    Guard(table=quote_list, record="quote", via=(_WITH_OPPORTUNITY,)),
    Guard(table=product_list, record="product", everyone=True),
    Guard(table=price_book_list, record="price_book", everyone=True),
    Guard(table=process_list, record="process", everyone=True),
)
