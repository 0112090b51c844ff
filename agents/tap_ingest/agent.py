"""The Faust agent: a finished reduction's spectra become rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import faust

from agents.runtime import AgentContext, register_consumer
from agents.tap_ingest.fibres import FibreTable, fibre_table
from agents.tap_ingest.reading import read_arrays
from agents.tap_ingest.service import SpectrumRow, flux_unit, spectrum_rows
from agents.tap_ingest.storage import StoredProduct, find_products, write_spectra
from paws.database import Pool
from paws.errors import InvalidInputError, NotOursError
from paws.log import get_logger
from paws.settings import Settings
from schemas.events import AnyEvent, ReductionFinished
from schemas.topics import REDUCTIONS_FINISHED

log = get_logger(__name__)


def register(app: faust.App, context: AgentContext) -> None:
    """Register the agent with the app."""

    async def handle(event: AnyEvent) -> None:
        if not isinstance(event, ReductionFinished):
            raise NotOursError("only finished reductions have spectra")
        await take_in(context, event)

    register_consumer(app, context, name="tap_ingest", topics=[REDUCTIONS_FINISHED], handler=handle)


async def take_in(context: AgentContext, event: ReductionFinished) -> int:
    """Write the rows of an event's products. May be given the same event any number of times.

    Returns
    -------
    int
        Number of spectra.

    Raises
    ------
    NotOursError
        If it has no product of spectra.
    UnreadableProductError
        If a product cannot be read any more.
    InvalidInputError
        If a product says nothing of its wavelengths or exposures.
    """
    wanted = [product.product_id for product in event.products if product.kind.has_spectra]
    if not wanted:
        raise NotOursError("it has no spectra of targets")
    return await take_in_products(context.pool, context.settings, wanted)


async def take_in_products(pool: Pool, settings: Settings, product_ids: Sequence[str]) -> int:
    """Write the rows of products; raises as `take_in`.

    Returns
    -------
    int
        Number of spectra.
    """
    count = 0
    for product in await find_products(pool, product_ids):
        rows, fibres, unit = await asyncio.to_thread(_content, settings, product)
        if await write_spectra(pool, product, rows, fibres, unit):
            count += len(rows)
            log.info("spectra taken in", product=product.product_id, spectra=len(rows))
    return count


def _content(settings: Settings, product: StoredProduct) -> tuple[list[SpectrumRow], FibreTable, str]:
    path = settings.data_dir / product.stored_path
    arrays = read_arrays(path)
    try:
        rows = spectrum_rows(arrays, product.exposures, product.figures)
    except ValueError as error:
        raise InvalidInputError(f"{path.name}: {error}.", path=str(path)) from error
    return rows, fibre_table(arrays, product.night, product.field, product.plate), flux_unit(arrays)
