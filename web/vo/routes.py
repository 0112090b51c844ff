"""Routes of all services but TAP."""

from __future__ import annotations

from starlette.routing import BaseRoute

from web.vo.datalink.handlers import datalink_routes
from web.vo.registry.handlers import registry_routes
from web.vo.scs.handlers import scs_routes
from web.vo.soda.handlers import soda_routes
from web.vo.spectra.handlers import spectra_routes
from web.vo.ssa.handlers import ssa_routes
from web.vo.vosi import vosi_routes


def service_routes() -> list[BaseRoute]:
    """Routes of spectra, links, cut-outs, spectral access and the registry."""
    return [
        *spectra_routes(),
        *soda_routes(),
        *datalink_routes(),
        *ssa_routes(),
        *scs_routes(),
        *vosi_routes(),
        *registry_routes(),
    ]
