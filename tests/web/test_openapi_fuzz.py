"""The interface holds what its own document says: schemathesis asks it anything the document allows, and more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from zlib import crc32

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from paws.settings import load_settings
from tests.support.night_rows import NIGHT, write_night
from tests.support.postgres import TEMPLATE, DatabaseServer, run_sql
from tests.web.conftest import Site, serving
from web.api.openapi import openapi
from web.api.table import API

# Whose parameters have rules among each other, which a document of single parameters cannot say: what it allows
# may be refused there, with the rule in the answer.
RULES_AMONG_PARAMETERS = (
    "/api/downloads",
    "/api/downloads/{part}",
    "/api/requests",
    "/api/archive/frames",
    "/api/tables",
)

document = schemathesis.openapi.from_dict(openapi(API))


@pytest.fixture(scope="module")
def night(database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A night of its own: what is asked here makes requests."""
    asyncio.run(run_sql(database_server, f"CREATE DATABASE web_fuzz TEMPLATE {TEMPLATE}"))
    found = load_settings(
        data_dir=tmp_path_factory.mktemp("fuzz") / "data",
        database_url=database_server.url("web_fuzz"),
        name_resolver="",
    )
    return Site(found, asyncio.run(write_night(found)))


@pytest.fixture(scope="module")
def address(night: Site) -> Iterator[str]:
    """The application behind its real server, in a thread: schemathesis is not asynchronous."""
    ready, stop = threading.Event(), threading.Event()
    found: list[str] = []

    async def serve() -> None:
        async with serving(night.settings) as (host, _app):
            found.append(host)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="server")
    thread.start()
    try:
        assert ready.wait(180)
        yield f"http://{found[0]}"
    finally:
        stop.set()
        thread.join(120)


def _known(site: Site) -> dict[str, str]:
    """Identifiers that lead somewhere: chance alone would find none."""
    return {
        "night": NIGHT,
        "frame_id": site.frame(),
        "product_id": site.product(),
        "fibre": "3",
    }


@document.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_question_is_answered_as_the_document_says(
    case: schemathesis.Case, address: str, night: Site
) -> None:
    known = _known(night)
    if case.path_parameters and crc32(repr(case.path_parameters).encode()) % 2:
        case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
    excluded = [positive_data_acceptance] if case.operation.path in RULES_AMONG_PARAMETERS else []
    case.call_and_validate(base_url=address, timeout=120, excluded_checks=excluded)
