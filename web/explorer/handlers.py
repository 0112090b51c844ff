"""The explorer's part of the interface for programs: what is on a shelf, a field, its figures, one spectrum."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import orjson
from numpy.typing import NDArray
from starlette.responses import Response

from paws.access.rule import Sight
from web.api.endpoint import ApiRoute, Asked, not_modified
from web.api.handlers import PRIVATE
from web.explorer import arrays
from web.explorer.figures import figures_of
from web.explorer.models import Explored, ExploredList, PlacedFibre, PlateFigures, PlateView
from web.explorer.plate import read_plate
from web.explorer.questions import BrowseQuestion
from web.explorer.shelf import Opened, Shelf, Shelved
from web.spectra import layout_of, read_spectrum


async def explorable(asked: Asked) -> ExploredList:
    """Products that can be explored."""
    items, total = await asked.state.shelf.browse(asked.question, asked.sight)
    return ExploredList(items=[explored(one) for one in items], total=total)


async def field_plate(asked: Asked) -> PlateView:
    """A product's field."""
    opened = await asked.state.shelf.open(asked.path["product_id"], asked.sight)
    return await plate_view(asked.state.shelf, opened, asked.sight)


async def plate_view(shelf: Shelf, opened: Opened, sight: Sight) -> PlateView:
    """A product's field: its fibres with places and recorded figures, and what stands beside it.

    Raises
    ------
    InvalidInputError
        If the file holds no spectra of fibres.
    """
    plate = await asyncio.to_thread(read_plate, opened.file)
    layout = layout_of(opened.file)
    ratios = await shelf.ratios(opened.product.product_id)
    has = {"sigma": layout.variance, "sky": layout.sky, "raw": layout.raw or layout.sky}
    return PlateView(
        product=explored(opened.product),
        centre=plate.centre,
        label=plate.label,
        axis=layout.axis,
        unit=layout.unit,
        samples=layout.data.columns,
        planes=[name for name, plane in has.items() if plane is not None],
        notes=list(plate.notes),
        fibres=[PlacedFibre(**vars(one), signal_to_noise=ratios.get(one.fibre)) for one in plate.fibres],
        beside=[explored(one) for one in await shelf.beside(opened.product, sight)],
    )


def explored(one: Shelved) -> Explored:
    """A product on a shelf, as an answer."""
    return Explored(**vars(one))


async def plate_figures(asked: Asked) -> Response:
    """Figures of every fibre of a product. They never change under the same product."""
    opened = await asked.state.shelf.open(asked.path["product_id"], asked.sight)
    etag = f'"{opened.tag}-f2"'
    headers = {"ETag": etag, "Cache-Control": PRIVATE}
    if not_modified(asked.request, etag):
        return Response(status_code=304, headers=headers)
    found = await asyncio.to_thread(figures_of, opened.file)
    measured: dict[str, Any] = {name: _plain(values) for name, values in vars(found).items()}
    body = PlateFigures(product_id=opened.product.product_id, **measured)
    return Response(orjson.dumps(body.model_dump()), media_type="application/json", headers=headers)


def _plain(values: NDArray[Any] | None) -> list[float | None] | None:
    if values is None:
        return None
    return [round(value, 5) if math.isfinite(value) else None for value in values.tolist()]


async def spectrum_arrays(asked: Asked) -> Response:
    """One spectrum as arrays. The file is read off the event loop: one row costs one small read."""
    fibre = int(asked.path["fibre"])
    opened = await asked.state.shelf.open(asked.path["product_id"], asked.sight)
    etag = f'"{opened.tag}-{fibre}-a1"'
    headers = {"ETag": etag, "Cache-Control": PRIVATE}
    if not_modified(asked.request, etag):
        return Response(status_code=304, headers=headers)
    identifier = opened.product.product_id
    body = await asyncio.to_thread(lambda: arrays.encode(identifier, *read_spectrum(opened.file, fibre)))
    return Response(body, media_type=arrays.MEDIA_TYPE, headers=headers)


EXPLORER_API = (
    ApiRoute(
        "/api/explorer/products",
        "Products that can be explored, in the order of the tree",
        explorable,
        ExploredList,
        BrowseQuestion,
        "explorer",
    ),
    ApiRoute(
        "/api/products/{product_id}/plate",
        "A product's field: where every fibre stands, whatever its type, and what can be compared with it",
        field_plate,
        PlateView,
        tag="explorer",
    ),
    ApiRoute(
        "/api/products/{product_id}/figures",
        "Figures of every fibre of a product: signal to noise, throughput, sky residual",
        plate_figures,
        PlateFigures,
        tag="explorer",
        statuses={304: "The client has it already"},
    ),
    ApiRoute(
        "/api/products/{product_id}/spectra/{fibre}/arrays",
        "One spectrum as binary arrays: PAWS, the length of a JSON header, the header, then little-endian float32",
        spectrum_arrays,
        None,
        tag="explorer",
        media_type=arrays.MEDIA_TYPE,
        statuses={304: "The client has it already"},
    ),
)
"""The explorer's routes, for the archive's application and for that of files."""
