"""What the commands about people share: a transaction on the database, and accounts by name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from paws.accounts.people import Account
    from paws.database import Connection

Found = TypeVar("Found")


def run_on_database(work: Callable[[Connection], Awaitable[Found]]) -> Found:
    """Run work on a connection to the database of the settings, in one transaction."""
    from paws.database import connect
    from paws.settings import load_settings

    async def run() -> Found:
        connection = await connect(load_settings())
        try:
            async with connection.transaction():
                return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


async def account_of(connection: Connection, name: str) -> Account:
    """Account of a name.

    Raises
    ------
    AccountError
        If there is none.
    """
    from paws.accounts import people

    account = await people.by_name(connection, people.check_name(name))
    if account is None:
        raise people.AccountError(f"There is no account {name}; `paws user list` names them.")
    return account
