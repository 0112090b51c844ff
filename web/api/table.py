"""The JSON interface in one table. Routes and documentation are made from it."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from web.api import handlers, models
from web.api.endpoint import ApiRoute, as_routes
from web.api.openapi import openapi_text
from web.archive.handlers import ARCHIVE_API
from web.downloads.handlers import DOWNLOADS_API
from web.explorer.handlers import EXPLORER_API
from web.night.api import NIGHT_API
from web.questions import FrameQuestion, NightQuestion, Paged, ProductQuestion, ReductionQuestion
from web.requests.handlers import REQUESTS_API
from web.vo.tables.api import TABLES_API

API: Final = (
    ApiRoute("/api/nights", "Nights, the newest first", handlers.nights, models.Page[models.Night], Paged),
    ApiRoute(
        "/api/status",
        "State of a night, with the number of the newest status event in it: what /ws/status starts from",
        handlers.snapshot,
        models.Snapshot,
        NightQuestion,
    ),
    ApiRoute(
        "/api/frames",
        "Raw frames and what became of them, the newest first",
        handlers.frames,
        models.Page[models.Frame],
        FrameQuestion,
        "frames",
    ),
    ApiRoute(
        "/api/frames/{frame_id}",
        "A raw frame: header, calibration decision, reductions, products",
        handlers.frame,
        models.FrameDetail,
        tag="frames",
    ),
    ApiRoute(
        "/api/rejected",
        "Files in the raw folders that cannot be used, with the reason",
        handlers.rejected,
        models.RejectedFiles,
        NightQuestion,
        "frames",
    ),
    ApiRoute(
        "/api/reductions",
        "Reductions, the newest first",
        handlers.reductions,
        models.Page[models.ReductionSummary],
        ReductionQuestion,
        "reductions",
    ),
    ApiRoute(
        "/api/reductions/{job_key}",
        "A reduction: what was asked, how it went, what it made",
        handlers.reduction,
        models.Reduction,
        tag="reductions",
    ),
    ApiRoute(
        "/api/products",
        "Products, the newest first",
        handlers.products,
        models.Page[models.ProductSummary],
        ProductQuestion,
        "products",
    ),
    ApiRoute(
        "/api/products/{product_id}",
        "A product: quality, provenance, versions",
        handlers.product,
        models.Product,
        tag="products",
    ),
    ApiRoute(
        "/api/products/{product_id}/fibres",
        "The rows of a product: targets, sky, guides, parked and broken fibres",
        handlers.fibres,
        models.FibreList,
        tag="products",
    ),
    # Before the next: a fibre with a suffix is a file.
    *DOWNLOADS_API,
    ApiRoute(
        "/api/products/{product_id}/spectra/{fibre}",
        "One spectrum with its error and the sky that was subtracted",
        handlers.spectrum,
        models.Spectrum,
        tag="products",
        statuses={304: "The client has it already"},
    ),
    *ARCHIVE_API,
    *EXPLORER_API,
    *REQUESTS_API,
    *NIGHT_API,
    *TABLES_API,
    ApiRoute("/api/log/{night}", "The observing log of a night", handlers.observing_log, models.ObservingLog),
    ApiRoute(
        "/healthz",
        "Health of database, broker and relay, with reasons",
        handlers.healthz,
        models.Health,
        tag="system",
        statuses={503: "A part is not well; the answer says which"},
    ),
)


async def _document(_request: Request) -> Response:
    return Response(openapi_text(API), media_type="application/json", headers={"Cache-Control": "no-cache"})


def api_routes() -> list[Route]:
    """All routes of the interface, its documentation included."""
    return [
        *as_routes(API),
        Route("/api/openapi.json", _document, methods=["GET"], name="openapi"),
    ]
