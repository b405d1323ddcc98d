"""What the pipeline service is made of."""

from services.pipeline.application import PipelineApplication
from services.pipeline.policies.expire_quote import expire_quote
from services.pipeline.policies.note_stall import note_stall
from services.pipeline.policies.open_converted_opportunity import open_converted_opportunity
from services.pipeline.policies.withdraw_reverted_opportunity import (
    withdraw_reverted_opportunity,
)
from services.pipeline.projections.opportunity_list import (
    OpportunityList,
    get_opportunity,
    list_opportunities,
)
from services.pipeline.projections.price_book_list import (
    PriceBookList,
    get_price_book,
    list_price_books,
)
from services.pipeline.projections.process_list import (
    ProcessList,
    get_sales_process,
    list_sales_processes,
)
from services.pipeline.projections.product_list import ProductList, get_product, list_products
from services.pipeline.projections.quote_list import (
    QuoteList,
    get_quote,
    list_opportunity_quotes,
    list_quotes,
)
from services.pipeline.projections.stage_log import StageLog, list_stage_moves
from services.pipeline.visibility import GUARDS
from shared.chassis.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="pipeline",
    description="Sales processes, products and prices, opportunities and their quotes.",
    application=PipelineApplication,
    policies=(
        open_converted_opportunity,
        withdraw_reverted_opportunity,
        note_stall,
        expire_quote,
    ),
    projections=(OpportunityList, StageLog, QuoteList, ProductList, PriceBookList, ProcessList),
    questions=(
        get_opportunity,
        list_opportunities,
        list_stage_moves,
        get_quote,
        list_quotes,
        list_opportunity_quotes,
        get_product,
        list_products,
        get_price_book,
        list_price_books,
        get_sales_process,
        list_sales_processes,
    ),
    guards=GUARDS,
)
