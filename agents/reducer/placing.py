"""Keeping the tree of current products in agreement with the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.reducer.settle import lock_slot
from agents.reducer.store import is_linked, link_current, unlink_stale
from paws.database import Pool
from paws.log import get_logger
from paws.settings import Settings

log = get_logger(__name__)


@dataclass(frozen=True)
class Link:
    """A path of the tree and the stored version that it must show, both absolute or checked later."""

    slot: str
    path: str
    stored: Path


async def place_slot(pool: Pool, settings: Settings, slot: str) -> None:
    """Link the current versions of a slot into the tree; take out paths that no current product has.

    The slot is held meanwhile, so that two who place it at once cannot leave the older version.
    """
    async with pool.acquire() as connection, connection.transaction():
        await lock_slot(connection, slot)
        rows = await connection.fetch("SELECT path, stored_path, current FROM product WHERE slot = $1", slot)
        links = [
            Link(slot, row["path"], settings.data_dir.absolute() / row["stored_path"])
            for row in rows
            if row["current"]
        ]
        stale = {row["path"] for row in rows} - {link.path for link in links}
        if stale:
            taken = await connection.fetch(
                "SELECT path FROM product WHERE current AND path = ANY($1::text[])", sorted(stale)
            )
            stale -= {row["path"] for row in taken}
        await asyncio.to_thread(_apply, settings.products_dir.absolute(), links, sorted(stale))


async def reconcile_links(pool: Pool, settings: Settings) -> int:
    """Mend every link of a current product that is missing or wrong.

    Returns
    -------
    int
        Number of slots that were mended.
    """
    async with pool.acquire() as connection:
        rows = await connection.fetch("SELECT slot, path, stored_path FROM product WHERE current")
    links = [
        Link(row["slot"], row["path"], settings.data_dir.absolute() / row["stored_path"]) for row in rows
    ]
    wrong = await asyncio.to_thread(_wrong_slots, settings.products_dir.absolute(), links)
    for slot in wrong:
        await place_slot(pool, settings, slot)
    if wrong:
        log.info("links mended", slots=len(wrong))
    return len(wrong)


def _apply(products_dir: Path, links: Sequence[Link], stale: Sequence[str]) -> None:
    for link in links:
        try:
            link_current(link.stored, products_dir, link.path)
        except FileNotFoundError:
            log.error(
                "a stored product is gone; reprocess it",
                slot=link.slot,
                path=link.path,
                stored=str(link.stored),
            )
    for path in stale:
        unlink_stale(products_dir, path)


def _wrong_slots(products_dir: Path, links: Sequence[Link]) -> list[str]:
    return sorted({link.slot for link in links if not is_linked(link.stored, products_dir / link.path)})
