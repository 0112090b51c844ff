"""Publisher identifiers of spectra: ``ivo://<authority>/spectra?<product>/<fibre>``.

Without a fibre the identifier is that of the product, which holds the spectra of a field. Authority and path are
compared without case, as IVOA Identifiers 2.0 (section 2.3) has it; what follows the question mark is compared exactly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from paws.errors import InvalidInputError

_PRODUCT: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
_IDENTIFIER: Final = re.compile(
    rf"ivo://(?P<authority>[a-z0-9][a-z0-9._~-]{{2,63}})/(?P<path>[a-z]+)\?(?P<product>{_PRODUCT})(/(?P<fibre>[1-9][0-9]{{0,3}}))?",
    re.IGNORECASE | re.ASCII,
)
_PATH: Final = "spectra"
_SHOWN: Final = 120

MOST_FIBRES: Final = 9999
"""Highest number of a fibre that an identifier can hold."""


class IdentifierError(InvalidInputError):
    """An identifier is none of ours. DataLink calls it a usage fault, not a missing thing."""


@dataclass(frozen=True, slots=True)
class SpectrumId:
    """What a publisher identifier names.

    Attributes
    ----------
    fibre
        Row of the product, from 1; None names the whole product.
    """

    product_id: str
    fibre: int | None = None


def prefix(authority: str) -> str:
    """What all identifiers of spectra begin with. The product, a slash and the fibre follow."""
    return f"ivo://{authority.lower()}/{_PATH}?"


def publisher_did(authority: str, product_id: str, fibre: int | None = None) -> str:
    """Identifier of a spectrum, or of a whole product.

    Raises
    ------
    IdentifierError
        If product or fibre cannot be in one.
    """
    if not re.fullmatch(_PRODUCT, product_id):
        raise IdentifierError(f"{product_id[:_SHOWN]!r} cannot stand in an identifier.")
    if fibre is None:
        return prefix(authority) + product_id
    if not 1 <= fibre <= MOST_FIBRES:
        raise IdentifierError(f"There is no fibre {fibre}: an identifier has 1 to {MOST_FIBRES}.")
    return f"{prefix(authority)}{product_id}/{fibre}"


def parse_publisher_did(text: str, authority: str) -> SpectrumId:
    """What an identifier names.

    Parameters
    ----------
    authority
        Ours. Identifiers of others are refused, not looked up.

    Raises
    ------
    IdentifierError
        If it is none, or another publisher's.
    """
    shown = ascii(text[:_SHOWN])
    found = _IDENTIFIER.fullmatch(text)
    if found is None or found["path"].lower() != _PATH:
        raise IdentifierError(
            f"{shown} is no identifier of a spectrum here: expected {prefix(authority)}PRODUCT/FIBRE."
        )
    if found["authority"].lower() != authority.lower():
        raise IdentifierError(f"{shown} is of another publisher: this one is {authority.lower()}.")
    return SpectrumId(found["product"], int(found["fibre"]) if found["fibre"] else None)


def service_id(authority: str, name: str) -> str:
    """Identifier of a record in the registry: ``ivo://<authority>/<name>``."""
    return f"ivo://{authority.lower()}/{name}"
