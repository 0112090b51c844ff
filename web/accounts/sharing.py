"""Share links: made by leaders of a proposal, listed and revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from paws.access.rule import Sight
from paws.accounts.audit import Actor, note
from paws.accounts.people import AccountError, check_words
from paws.accounts.secrets import digest, new_secret
from paws.database import Connection, Pool
from web.accounts.visitor import Person
from web.questions import ProductQuestion
from web.storage import products as product_store

LONGEST_DAYS: Final = 366
_MOST: Final = 200


async def fields_of(pool: Pool, proposal: str) -> list[dict[str, Any]]:
    """Fields of a proposal that can be shared, the newest first."""
    rows = await pool.fetch(
        "SELECT field, count(*) AS frames, max(night) AS night FROM frame WHERE owner = $1 AND field <> ''"
        " GROUP BY field ORDER BY max(night) DESC, field LIMIT 500",
        proposal,
    )
    return [dict(row) for row in rows]


async def make(
    connection: Connection,
    person: Person,
    actor: Actor,
    proposal: str,
    fields: Sequence[str],
    product_ids: Sequence[str],
    note_text: str,
    days: int,
    now: datetime,
) -> str:
    """Make a link. Returns its secret, which is shown once.

    Raises
    ------
    AccountError
        If the person does not lead the proposal, or what is to be shared is not wholly the proposal's.
    """
    if not (person.administrator or proposal in person.leads):
        raise AccountError("Only leaders of a proposal share its data.")
    if not 1 <= days <= LONGEST_DAYS:
        raise AccountError(f"A share link lasts 1 to {LONGEST_DAYS} days.")
    chosen, products = sorted(set(fields) - {""}), sorted(set(product_ids) - {""})
    if not chosen and not products:
        raise AccountError("Choose a field or a product to share.")
    if len(chosen) + len(products) > _MOST:
        raise AccountError(f"Share at most {_MOST} fields and products in one link.")
    known = {
        row["field"]
        for row in await connection.fetch(
            "SELECT DISTINCT field FROM frame WHERE owner = $1 AND field = ANY($2::text[])", proposal, chosen
        )
    }
    owned = {
        row["product_id"]
        for row in await connection.fetch(
            "SELECT product_id FROM product WHERE product_id = ANY($1::text[]) AND owners = ARRAY[$2::text]",
            products,
            proposal,
        )
    }
    if set(chosen) - known or set(products) - owned:
        # One sentence for what is not there and for what is another's.
        raise AccountError("Some of these are no fields or products of this proposal alone.")
    secret = new_secret()
    await connection.execute(
        "INSERT INTO share_link (share_hash, hint, proposal, fields, product_ids, note, account_id, expires_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(digest(secret), secret[:6], proposal, chosen, products, check_words(note_text, "A note")),
        *(person.account_id, now + timedelta(days=days)),
    )
    await note(
        connection, actor, "share link made", proposal, fields=chosen, products=len(products), days=days
    )
    return secret


async def links_of(pool: Pool, person: Person, now: datetime) -> list[dict[str, Any]]:
    """Links of the proposals that a person leads (of all, for administrators), the newest first."""
    rows = await pool.fetch(
        "SELECT l.share_id, l.hint, l.proposal, l.fields, cardinality(l.product_ids) AS products, l.note,"
        " l.created_at, l.expires_at, l.used_at, a.name AS made_by FROM share_link l JOIN account a USING (account_id)"
        " WHERE l.revoked_at IS NULL AND l.expires_at > $1 AND ($2 OR l.proposal = ANY($3::text[]))"
        " ORDER BY l.share_id DESC LIMIT 500",
        *(now, person.administrator, sorted(person.leads)),
    )
    return [dict(row) for row in rows]


async def revoke(connection: Connection, person: Person, actor: Actor, share_id: int, now: datetime) -> bool:
    """Revoke a link. False when the person has no such link."""
    proposal = await connection.fetchval(
        "UPDATE share_link SET revoked_at = $2 WHERE share_id = $1 AND revoked_at IS NULL"
        " AND ($3 OR proposal = ANY($4::text[])) RETURNING proposal",
        *(share_id, now, person.administrator, sorted(person.leads)),
    )
    if proposal is None:
        return False
    await note(connection, actor, "share link revoked", proposal, share_id=share_id)
    return True


async def touch(pool: Pool, share: bytes, now: datetime) -> None:
    """Note that a link was followed."""
    await pool.execute("UPDATE share_link SET used_at = $2 WHERE share_hash = $1", share, now)


async def shared_with(pool: Pool, shares: Sequence[bytes], sight: Sight) -> list[dict[str, Any]]:
    """What valid links show: each with its fields and products, as far as they are seen."""
    rows = await pool.fetch(
        "SELECT share_hash, proposal, fields, product_ids, note, expires_at FROM share_link"
        " WHERE share_hash = ANY($1::bytea[]) ORDER BY share_id",
        list(shares),
    )
    found = []
    for row in rows:
        products, _total = await product_store.products(
            pool, ProductQuestion(current=False, limit=1000), sight, row["product_ids"]
        )
        found.append({**dict(row), "products": products})
    return found
