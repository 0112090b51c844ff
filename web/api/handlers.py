"""What each route of the JSON interface answers."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.responses import Response

from paws.access.rule import Sight
from paws.errors import InvalidInputError
from web.api import models
from web.api.endpoint import Asked, not_modified
from web.files import inside
from web.health import health, told_health
from web.live.parts import read_parts
from web.problems import NotFoundError
from web.questions import ProductQuestion, ReductionQuestion
from web.spectra import SpectraLayout, layout_of, read_spectrum
from web.state import WebState
from web.storage import frames as frame_store
from web.storage import products as product_store
from web.storage import status as status_store

_OF_A_FRAME = 200
PRIVATE = "private, no-cache"
"""Kept by the browser, and shown again only to whom it may still be shown."""


async def nights(asked: Asked) -> models.Page[models.Night]:
    """Nights with their counts."""
    ask = asked.question
    rows, total = await frame_store.nights(asked.state.pool, ask.limit, ask.offset, asked.sight)
    items = [models.Night.model_validate(row) for row in rows]
    return models.Page[models.Night](items=items, total=total, limit=ask.limit, offset=ask.offset)


async def frames(asked: Asked) -> models.Page[models.Frame]:
    """Frames."""
    ask = asked.question
    rows, total = await frame_store.frames(asked.state.pool, ask, asked.sight)
    items = [models.Frame.model_validate(row) for row in rows]
    return models.Page[models.Frame](items=items, total=total, limit=ask.limit, offset=ask.offset)


async def frame(asked: Asked) -> models.FrameDetail:
    """One frame."""
    return await frame_detail(asked.state, asked.path["frame_id"], asked.sight)


async def frame_detail(state: WebState, frame_id: str, sight: Sight) -> models.FrameDetail:
    """One frame, whole.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = await frame_store.frame(state.pool, frame_id, sight)
    if row is None:
        raise NotFoundError("There is no such frame. It may have been read again under another content.")
    reductions, _ = await product_store.reductions(
        state.pool, ReductionQuestion(frame=frame_id, limit=_OF_A_FRAME), sight
    )
    products, _ = await product_store.products(
        state.pool, ProductQuestion(frame=frame_id, limit=_OF_A_FRAME, current=False), sight
    )
    return models.FrameDetail.model_validate({**row, "reductions": reductions, "products": products})


async def reductions(asked: Asked) -> models.Page[models.ReductionSummary]:
    """Reductions."""
    ask = asked.question
    rows, total = await product_store.reductions(asked.state.pool, ask, asked.sight)
    items = [models.ReductionSummary.model_validate(row) for row in rows]
    return models.Page[models.ReductionSummary](items=items, total=total, limit=ask.limit, offset=ask.offset)


async def reduction(asked: Asked) -> models.Reduction:
    """One reduction."""
    return await reduction_detail(asked.state, asked.path["job_key"], asked.sight)


async def reduction_detail(state: WebState, job_key: str, sight: Sight) -> models.Reduction:
    """One reduction, whole.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = await product_store.reduction(state.pool, job_key, sight)
    if row is None:
        raise NotFoundError("There is no such reduction.")
    log_path = row.pop("log_path")
    products = await product_store.products_of_job(state.pool, job_key, sight)
    return models.Reduction.model_validate({**row, "has_log": log_path is not None, "products": products})


async def products(asked: Asked) -> models.Page[models.ProductSummary]:
    """Products."""
    ask = asked.question
    rows, total = await product_store.products(asked.state.pool, ask, asked.sight)
    items = [models.ProductSummary.model_validate(row) for row in rows]
    return models.Page[models.ProductSummary](items=items, total=total, limit=ask.limit, offset=ask.offset)


async def product(asked: Asked) -> models.Product:
    """One product."""
    return (await product_detail(asked.state, asked.path["product_id"], asked.sight))[0]


async def product_detail(state: WebState, product_id: str, sight: Sight) -> tuple[models.Product, str]:
    """One product, whole, and where it is stored.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    row = await product_store.product(state.pool, product_id, sight)
    if row is None:
        raise NotFoundError("There is no such product.")
    stored = str(row.pop("stored_path"))
    versions = await product_store.product_versions(state.pool, row["slot"], row["kind"], sight)
    frame_ids = await product_store.product_frames(state.pool, product_id, sight)
    return models.Product.model_validate({**row, "versions": versions, "frame_ids": frame_ids}), stored


async def fibres(asked: Asked) -> models.FibreList:
    """The rows of a product."""
    return await fibre_list(asked.state, asked.path["product_id"], asked.sight)


async def fibre_list(state: WebState, product_id: str, sight: Sight) -> models.FibreList:
    """The rows of a product, with their signal to noise.

    Raises
    ------
    NotFoundError, InvalidInputError
        If there is no such product, or it holds no spectra.
    """
    row = await _stored(state, product_id, sight)
    layout = await asyncio.to_thread(layout_of, inside(state.settings, row["stored_path"]))
    ratios = await product_store.signal_to_noise(state.pool, product_id)
    return models.FibreList(
        product_id=product_id,
        axis=layout.axis,
        unit=layout.unit,
        samples=layout.data.columns,
        has_variance=layout.variance is not None,
        has_sky=layout.sky is not None,
        fibres=[
            models.Fibre(**vars(fibre), signal_to_noise=ratios.get(fibre.fibre)) for fibre in layout.fibres
        ],
    )


async def spectrum(asked: Asked) -> Response:
    """One spectrum. It never changes under the same product, so clients may keep it."""
    product_id, fibre = asked.path["product_id"], int(asked.path["fibre"])
    row = await _stored(asked.state, product_id, asked.sight)
    etag = f'"{row["checksum"][:32]}-{fibre}"'
    headers = {"ETag": etag, "Cache-Control": PRIVATE}
    if not_modified(asked.request, etag):
        return Response(status_code=304, headers=headers)
    path = inside(asked.state.settings, row["stored_path"])
    body = await asyncio.to_thread(lambda: spectrum_json(product_id, *read_spectrum(path, fibre)))
    return Response(body, media_type="application/json", headers=headers)


def spectrum_json(product_id: str, layout: SpectraLayout, found: Any) -> bytes:
    """A spectrum as JSON: single precision, missing values as null."""

    def plain(values: NDArray[np.float64] | None) -> NDArray[np.float32] | None:
        # orjson writes what is not finite as null.
        return None if values is None else np.ascontiguousarray(values, dtype=np.float32)

    document = {
        "product_id": product_id,
        "fibre": {**vars(found.row), "signal_to_noise": None},
        "axis": layout.axis,
        "axis_unit": "Angstrom" if layout.axis == "wavelength" else "pixel",
        "unit": layout.unit,
        "start": layout.start,
        "step": layout.step,
        "x": None if found.x is None else np.ascontiguousarray(found.x.round(4)),
        "flux": plain(found.flux),
        "sigma": plain(found.sigma),
        "sky": plain(found.sky),
    }
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


async def observing_log(asked: Asked) -> models.ObservingLog:
    """The observing log of a night."""
    night = asked.path["night"]
    rows = await frame_store.observing_log(asked.state.pool, night, asked.sight)
    return models.ObservingLog(night=night, entries=[models.LogEntry.model_validate(row) for row in rows])


async def rejected(asked: Asked) -> models.RejectedFiles:
    """Files that cannot be used."""
    rows = await status_store.rejected_files(asked.state.pool, asked.question.night, asked.sight)
    return models.RejectedFiles(items=[models.RejectedFile.model_validate(row) for row in rows])


async def snapshot(asked: Asked) -> models.Snapshot:
    """State of a night, as a websocket starts."""
    return await night_snapshot(asked.state, asked.question.night, asked.sight)


async def night_snapshot(state: WebState, night: str | None, sight: Sight) -> models.Snapshot:
    """State of a night as somebody sees it; None is the newest that they see something of."""
    chosen = night or await status_store.newest_night(state.pool, sight)
    return (await read_parts(state.pool, chosen)).snapshot_for(sight)


async def healthz(asked: Asked) -> Response:
    """Health, with 503 when a part is not well."""
    found = told_health(await health(asked.state), asked.sight)
    return Response(
        found.model_dump_json(),
        200 if found.ok else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


async def _stored(state: WebState, product_id: str, sight: Sight) -> dict[str, Any]:
    row = await product_store.product(state.pool, product_id, sight)
    if row is None:
        raise NotFoundError("There is no such product.")
    if row["size_bytes"] < 1:
        raise InvalidInputError("This product is empty; reduce the frame again.")
    return row
