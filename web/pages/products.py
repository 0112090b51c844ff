"""The pages of products, and their files."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from paws.errors import InvalidInputError
from paws.vo.identifiers import publisher_did
from web.accounts.identify import visitor_of
from web.api.endpoint import not_modified, parse, path_values
from web.api.handlers import PRIVATE, fibre_list, product_detail
from web.api.models import FibreList, ProductSummary
from web.downloads.choice import MOST_NAMED, Content
from web.files import download_name, inside
from web.pages.frames import choices
from web.pages.render import page
from web.problems import NotFoundError
from web.questions import FibreQuestion, NoQuestion, ProductQuestion
from web.security import SAMP_POLICY
from web.sparkline import sparkline
from web.spectrum_files import SpectrumFormat
from web.state import web_state
from web.storage import frames as frame_store
from web.storage import products as product_store

FITS = "application/fits"


async def products(request: Request) -> Response:
    """Products of a night, a field or all."""
    state = web_state(request)
    ask = parse(ProductQuestion, request)
    rows, total = await product_store.products(state.pool, ask, visitor_of(request).sight)
    return page(
        request,
        "products.html",
        products=[ProductSummary.model_validate(row) for row in rows],
        total=total,
        ask=ask,
        query=urlencode(
            ask.model_dump(mode="json", exclude={"offset"}, exclude_none=True, exclude_defaults=True)
        ),
        of_field=urlencode([(name, one) for name in ("night", "field") if (one := getattr(ask, name))]),
        contents=list(Content),
        most=MOST_NAMED,
    )


async def product(request: Request) -> Response:
    """One version of a product, with its spectra."""
    state, sight = web_state(request), visitor_of(request).sight
    ask = parse(FibreQuestion, request)
    found, _stored = await product_detail(state, path_values(request)["product_id"], sight)
    spectra: FibreList | None = None
    no_spectra = ""
    try:
        spectra = await fibre_list(state, found.product_id, sight)
    except InvalidInputError as error:
        no_spectra = error.message
    chosen = choices(found.provenance)
    named = set(found.frame_ids) | {source for item in chosen for source in item["sources"]}
    response = page(
        request,
        "product.html",
        product=found,
        spectra=spectra,
        no_spectra=no_spectra,
        first=_first_fibre(spectra, ask.fibre),
        formats=list(SpectrumFormat),
        did=publisher_did(state.settings.vo_authority, found.product_id),
        choices=chosen,
        provenance={
            name: value
            for name, value in found.provenance.items()
            if isinstance(value, str | int | float | bool)
        },
        names=await frame_store.frame_names(state.pool, sorted(named), sight),
    )
    if spectra is not None:
        response.headers["Content-Security-Policy"] = SAMP_POLICY
    return response


def _first_fibre(spectra: FibreList | None, asked: int | None) -> int:
    """Fibre that is shown first: the one asked for, else the best target."""
    if spectra is None:
        return 1
    if asked is not None and asked <= len(spectra.fibres):
        return asked
    best = max(
        spectra.fibres,
        key=lambda fibre: (fibre.type == "P", fibre.signal_to_noise or 0.0, -fibre.fibre),
        default=None,
    )
    return best.fibre if best else 1


async def product_file(request: Request) -> Response:
    """The product itself, whole or in ranges."""
    state = web_state(request)
    parse(NoQuestion, request)
    found, stored = await product_detail(state, path_values(request)["product_id"], visitor_of(request).sight)
    path = inside(state.settings, stored)
    if not path.is_file():
        raise NotFoundError("The file of this product has been removed; reduce the frame again.")
    etag = f'"{found.checksum}"'
    headers = {"ETag": etag, "Cache-Control": PRIVATE, "X-Checksum-BLAKE3": found.checksum}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    return FileResponse(
        path, media_type=FITS, filename=download_name(found.night, found.path), headers=headers
    )


async def product_sparkline(request: Request) -> Response:
    """Small picture of a product."""
    state = web_state(request)
    parse(NoQuestion, request)
    row = await product_store.product(
        state.pool, path_values(request)["product_id"], visitor_of(request).sight
    )
    if row is None:
        raise NotFoundError("There is no such product.")
    etag = f'"{row["checksum"][:32]}-s1"'
    headers = {"ETag": etag, "Cache-Control": PRIVATE}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    path = inside(state.settings, row["stored_path"])
    picture = await asyncio.to_thread(sparkline, path, row["checksum"])
    return Response(picture, media_type="image/svg+xml", headers=headers)
