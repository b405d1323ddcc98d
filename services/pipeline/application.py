"""Pipeline: load, decide, record."""

from collections.abc import Iterator, Sequence

from services.pipeline.commands import (
    AcceptQuote,
    AssignOpportunityOwner,
    ChangeOpportunity,
    ChangeProduct,
    DefinePriceBook,
    DefineProduct,
    DefineSalesProcess,
    DraftQuote,
    ExpireQuote,
    ImportOpportunity,
    LoseOpportunity,
    MoveOpportunity,
    NoteStall,
    OpenConvertedOpportunity,
    OpenOpportunity,
    QuoteContent,
    RejectQuote,
    ReopenOpportunity,
    RetireProduct,
    ReviseQuote,
    SendQuote,
    WinOpportunity,
    WithdrawOpportunity,
)
from services.pipeline.domain import price_book
from services.pipeline.domain.history import history
from services.pipeline.domain.opportunity import Opportunity
from services.pipeline.domain.price_book import PriceBook
from services.pipeline.domain.pricing import Offer, priced
from services.pipeline.domain.process import BUILT_IN, STANDARD, ProcessVersion, SalesProcess
from services.pipeline.domain.product import Product
from services.pipeline.domain.quote import (
    MOST_QUOTES,
    OneQuoteIsAccepted,
    Quote,
    QuotesStayFew,
    QuoteStatus,
)
from shared.chassis.application import Application, Work
from shared.chassis.shapes import Answer, NotFound, Taken

__all__ = ["PipelineApplication"]


class PipelineApplication(Application):
    """The commands of processes, products, opportunities and quotes."""

    context = "pipeline"

    def define_sales_process(self, command: DefineSalesProcess) -> Answer:
        process_id = command.process_id or command.new_id("process")

        def decide(work: Work) -> str:
            process = work.find(SalesProcess, process_id)
            if process is None:
                _must_be_free(work, process_id)
            work.record(process_id, SalesProcess.define(process, command))
            return process_id

        return self.commit(command, decide)

    def define_product(self, command: DefineProduct) -> Answer:
        product_id = command.product_id or command.new_id("product")

        def decide(work: Work) -> str:
            _claim_external(work, "product", command.source, command.external_id, product_id)
            if command.sku is not None:
                work.claim("sku", command.sku, product_id)
            work.record(product_id, Product.define(command))
            return product_id

        return self.commit(command, decide)

    def change_product(self, command: ChangeProduct) -> Answer:
        def decide(work: Work) -> str:
            product = work.load(Product, command.product_id)
            sku = product.description.sku
            if command.sku is not None and command.sku != sku:
                if sku is not None:
                    work.release("sku", sku)
                work.claim("sku", command.sku, command.product_id)
            work.record(command.product_id, product.change(command))
            return command.product_id

        return self.commit(command, decide)

    def retire_product(self, command: RetireProduct) -> Answer:
        return self.change(
            Product, command.product_id, lambda product: product.retire(command), command
        )

    def define_price_book(self, command: DefinePriceBook) -> Answer:
        book_id = command.price_book_id or price_book.STANDARD

        def decide(work: Work) -> str:
            book = work.find(PriceBook, book_id)
            if book is None:
                _must_be_free(work, book_id)
            for price in command.prices:
                work.load(Product, price.product_id)
            work.record(book_id, PriceBook.define(book, command))
            return book_id

        return self.commit(command, decide)

    def open_opportunity(self, command: OpenOpportunity) -> Answer:
        opportunity_id = command.opportunity_id or command.new_id("opportunity")

        def decide(work: Work) -> str:
            _on_offer(work, command.product_ids or ())
            _claim_external(
                work, "opportunity", command.source, command.external_id, opportunity_id
            )
            process = _process(work, command.process_id)
            process.must_be_for(command.unit_id, command.product_ids or ())
            work.record(opportunity_id, Opportunity.open(command, process))
            return opportunity_id

        return self.commit(command, decide)

    def open_converted_opportunity(self, command: OpenConvertedOpportunity) -> Answer:
        def decide(work: Work) -> str:
            known = command.process_id and work.find(SalesProcess, command.process_id)
            process = _process(work, command.process_id if known else None)
            work.record(command.opportunity_id, Opportunity.open_converted(command, process))
            return command.opportunity_id

        return self.commit(command, decide)

    def import_opportunity(self, command: ImportOpportunity) -> Answer:
        opportunity_id = command.opportunity_id or command.new_id("opportunity")

        def decide(work: Work) -> str:
            _claim_external(
                work, "opportunity", command.source, command.external_id, opportunity_id
            )
            process = _process(work, command.process_id)
            for event, at in history(command, process):
                work.record(opportunity_id, [event], at=at)
            return opportunity_id

        return self.commit(command, decide)

    def change_opportunity(self, command: ChangeOpportunity) -> Answer:
        def decide(work: Work) -> str:
            deal = work.load(Opportunity, command.opportunity_id)
            known = deal.description["product_ids"]
            _on_offer(work, [one for one in command.product_ids or () if one not in known])
            work.record(command.opportunity_id, deal.change(command))
            return command.opportunity_id

        return self.commit(command, decide)

    def assign_opportunity_owner(self, command: AssignOpportunityOwner) -> Answer:
        return self.change(
            Opportunity, command.opportunity_id, lambda deal: deal.assign_owner(command), command
        )

    def move_opportunity(self, command: MoveOpportunity) -> Answer:
        def decide(work: Work) -> str:
            deal = work.load(Opportunity, command.opportunity_id)
            stands_in, latest = _versions(work, deal)
            work.record(command.opportunity_id, deal.move(command, stands_in, latest))
            return command.opportunity_id

        return self.commit(command, decide)

    def note_stall(self, command: NoteStall) -> Answer:
        return self.change(
            Opportunity, command.opportunity_id, lambda deal: deal.note_stall(command), command
        )

    def win_opportunity(self, command: WinOpportunity) -> Answer:
        def decide(work: Work) -> str:
            deal = work.load(Opportunity, command.opportunity_id)
            quote_id = work.holder("accepted_quote", command.opportunity_id)
            quote = work.load(Quote, quote_id).accepted if quote_id else None
            work.record(command.opportunity_id, deal.win(command, quote_id, quote))
            return command.opportunity_id

        return self.commit(command, decide)

    def lose_opportunity(self, command: LoseOpportunity) -> Answer:
        return self.change(
            Opportunity, command.opportunity_id, lambda deal: deal.lose(command), command
        )

    def reopen_opportunity(self, command: ReopenOpportunity) -> Answer:
        def decide(work: Work) -> str:
            deal = work.load(Opportunity, command.opportunity_id)
            stands_in, _ = _versions(work, deal)
            work.record(command.opportunity_id, deal.reopen(command, stands_in))
            if quote_id := work.holder("accepted_quote", command.opportunity_id):
                work.record(quote_id, work.load(Quote, quote_id).lapse(deal))
                work.release("accepted_quote", command.opportunity_id)
            return command.opportunity_id

        return self.commit(command, decide)

    def withdraw_opportunity(self, command: WithdrawOpportunity) -> Answer:
        def decide(work: Work) -> str:
            if deal := work.find(Opportunity, command.opportunity_id):
                work.record(command.opportunity_id, deal.withdraw(command))
            return command.opportunity_id

        return self.commit(command, decide)

    def draft_quote(self, command: DraftQuote) -> Answer:
        quote_id = command.quote_id or command.new_id("quote")
        number = command.number or f"Q-{command.at:%Y%m%d}-{quote_id[-8:].upper()}"

        def decide(work: Work) -> str:
            deal = work.load(Opportunity, command.opportunity_id)
            if accepted := work.holder("accepted_quote", command.opportunity_id):
                raise OneQuoteIsAccepted(quote_id=accepted)
            work.claim("quote_number", number, quote_id)
            _shelve(work, command.opportunity_id, quote_id)
            offer = _offer(work, command)
            work.record(quote_id, Quote.draft(command, deal, offer, number))
            return quote_id

        return self.commit(command, decide)

    def revise_quote(self, command: ReviseQuote) -> Answer:
        def decide(work: Work) -> str:
            quote = work.load(Quote, command.quote_id)
            deal = work.load(Opportunity, quote.opportunity_id)
            _refuse_second(work, quote, command.quote_id)
            work.record(command.quote_id, quote.revise(command, deal, _offer(work, command)))
            return command.quote_id

        return self.commit(command, decide)

    def send_quote(self, command: SendQuote) -> Answer:
        def decide(work: Work) -> str:
            quote = work.load(Quote, command.quote_id)
            deal = work.load(Opportunity, quote.opportunity_id)
            _refuse_second(work, quote, command.quote_id)
            work.record(command.quote_id, quote.send(command, deal))
            return command.quote_id

        return self.commit(command, decide)

    def accept_quote(self, command: AcceptQuote) -> Answer:
        def decide(work: Work) -> str:
            quote = work.load(Quote, command.quote_id)
            deal = work.load(Opportunity, quote.opportunity_id)
            _refuse_second(work, quote, command.quote_id)
            work.record(command.quote_id, quote.accept(command, deal))
            work.claim("accepted_quote", quote.opportunity_id, command.quote_id)
            for other_id in _shelf(work, quote.opportunity_id):
                if other_id != command.quote_id:
                    other = work.load(Quote, other_id)
                    work.record(other_id, other.supersede(command.quote_id, deal))
            return command.quote_id

        return self.commit(command, decide)

    def reject_quote(self, command: RejectQuote) -> Answer:
        def decide(work: Work) -> str:
            quote = work.load(Quote, command.quote_id)
            deal = work.load(Opportunity, quote.opportunity_id)
            work.record(command.quote_id, quote.reject(command, deal))
            return command.quote_id

        return self.commit(command, decide)

    def expire_quote(self, command: ExpireQuote) -> Answer:
        def decide(work: Work) -> str:
            quote = work.load(Quote, command.quote_id)
            deal = work.load(Opportunity, quote.opportunity_id)
            work.record(command.quote_id, quote.expire(command, deal))
            return command.quote_id

        return self.commit(command, decide)


def _claim_external(
    work: Work, kind: str, source: str | None, external_id: str | None, stream_id: str
) -> None:
    if external_id is not None:
        work.claim(f"external:{source or ''}:{kind}", external_id, stream_id)


def _must_be_free(work: Work, stream_id: str) -> None:
    if work.loaded_version(stream_id):
        raise Taken(f"{stream_id} is something else", holder=stream_id)


def _process(work: Work, process_id: str | None) -> ProcessVersion:
    """Return a process as deals enter it; the built-in one is laid down when first used."""
    wanted = process_id or STANDARD
    process = work.find(SalesProcess, wanted)
    if process is not None:
        return process.latest(wanted)
    if wanted != STANDARD:
        raise NotFound("sales process", wanted)
    work.record(STANDARD, [BUILT_IN])
    return ProcessVersion(process_id=STANDARD, definition=BUILT_IN)


def _versions(work: Work, deal: Opportunity) -> tuple[ProcessVersion, ProcessVersion]:
    """Return the version the deal stands in, and the latest."""
    process = work.load(SalesProcess, deal.process_id)
    return (
        process.version(deal.process_id, deal.process_version),
        process.latest(deal.process_id),
    )


def _on_offer(work: Work, product_ids: Sequence[str]) -> None:
    for product_id in product_ids:
        work.load(Product, product_id).must_be_on_offer(product_id)


def _offer(work: Work, command: QuoteContent) -> Offer:
    products = {
        line.product_id: work.load(Product, line.product_id)
        for line in command.lines
        if line.product_id is not None
    }
    for product_id, product in products.items():
        product.must_be_on_offer(product_id)
    book = (
        work.load(PriceBook, command.price_book_id)
        if command.price_book_id
        else work.find(PriceBook, price_book.STANDARD)
    )
    return priced(command.lines, products, book, command.currency, command.at.date())


def _refuse_second(work: Work, quote: Quote, quote_id: str) -> None:
    accepted = work.holder("accepted_quote", quote.opportunity_id)
    if accepted not in {None, quote_id} and quote.status is not QuoteStatus.SUPERSEDED:
        raise OneQuoteIsAccepted(quote_id=accepted)


def _shelf(work: Work, opportunity_id: str) -> Iterator[str]:
    """Yield the opportunity's quotes: each holds the next free place on its shelf."""
    for place in range(1, MOST_QUOTES + 1):
        quote_id = work.holder(f"quotes:{opportunity_id}", str(place))
        if quote_id is None:
            return
        yield quote_id


def _shelve(work: Work, opportunity_id: str, quote_id: str) -> None:
    place = 1 + sum(1 for _ in _shelf(work, opportunity_id))
    if place > MOST_QUOTES:
        raise QuotesStayFew(limit=MOST_QUOTES)
    work.claim(f"quotes:{opportunity_id}", str(place), quote_id)
