"""What is to be published, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from paws.accounts.audit import Actor
from paws.vo.audience import EVERYBODY, Audience
from paws.vo.names import TableName, is_personal, table_name
from paws.vo.publish.errors import PublishError

LONGEST_DESCRIPTION: Final = 4000


@dataclass(frozen=True, slots=True)
class Wish:
    """A table that somebody wants published.

    Attributes
    ----------
    name
        What it is called.
    source
        Where it comes from, for people: the name of a file, or an address.
    actor
        Who wants it.
    audience
        Who sees it.
    description
        Of the table; empty takes what file and metadata say.
    replace
        Whether it may take the place of a table of that name.
    """

    name: TableName
    source: str
    actor: Actor
    audience: Audience = EVERYBODY
    description: str = ""
    replace: bool = False

    def as_document(self) -> dict[str, Any]:
        """What a durable row keeps of it, beside what has columns of its own."""
        return {
            "proposal": self.audience.proposal,
            "account": self.audience.account,
            "description": self.description,
            "replace": self.replace,
        }


def wish_from(document: dict[str, Any], name: str, source: str, actor: Actor) -> Wish:
    """A wish from its durable row."""
    audience = Audience(document["proposal"], document["account"])
    return Wish(table_name(name), source, actor, audience, document["description"], bool(document["replace"]))


def check_description(text: str) -> str:
    """Description of a table, checked.

    Raises
    ------
    PublishError
        If it is too long or holds control characters.
    """
    words = text.strip()
    if len(words) > LONGEST_DESCRIPTION or not all(one.isprintable() or one in "\n\r\t" for one in words):
        raise PublishError(
            f"A description has at most {LONGEST_DESCRIPTION} characters, and no control characters."
        )
    return words


def name_for(text: str, schema: str | None) -> TableName:
    """Name of a table: of a personal one its last part may stand alone.

    Parameters
    ----------
    schema
        Of the personal tables of whoever it is for; None for tables that others see.

    Raises
    ------
    TableNameError, PublishError
        If the table cannot be called so, or stands in a schema of the wrong kind.
    """
    if schema is None:
        name = table_name(text)
        if is_personal(name):
            raise PublishError(
                f"The schema {name.schema} is one of personal tables. Publish for everybody, or a proposal, in another."
            )
        return name
    name = table_name(text if "." in text else f"{schema}.{text}")
    if name.schema != schema:
        raise PublishError(f"Your personal tables are in the schema {schema}; call it {schema}.{name.table}.")
    return name
