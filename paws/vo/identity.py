"""What our tables say of whose they are: settings, brought into the database for the views to show."""

from __future__ import annotations

from typing import Final

from paws.database import Connection
from paws.settings import Settings

_DEADLINE: Final = 3600.0
"""Seconds: every spectrum of an archive gets another identifier when the authority changes."""


async def set_identity(connection: Connection, settings: Settings) -> bool:
    """Let the database say what PAWS_VO_AUTHORITY, PAWS_VO_COLLECTION, PAWS_VO_PUBLISHER and PAWS_VO_CREATOR say.

    Identifiers of spectra follow a new authority. Those given before name nothing any more.

    Returns
    -------
    bool
        Whether anything had to be changed.
    """
    done = await connection.execute(
        "UPDATE vo_identity SET authority = $1, collection = $2, publisher = $3, creator = $4"
        " WHERE (authority, collection, publisher, creator) IS DISTINCT FROM ($1, $2, $3, $4)",
        *(settings.vo_authority, settings.vo_collection, settings.vo_publisher, settings.vo_creator),
        timeout=_DEADLINE,
    )
    return bool(done != "UPDATE 0")
