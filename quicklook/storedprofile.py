"""The fibre profile as a tramline map's file holds it."""

from __future__ import annotations

import numpy as np

from quicklook.errors import InvalidInput
from quicklook.products import Product
from quicklook.types import FloatArray, ProfileModel, Wings
from quicklook.wingkinds import N_SHARES, tails

PROFILE_PARTS = ("PROFILE", "PROFROWS", "PROFCOLS")
"""Extensions that hold `ProfileModel.table`, ``row_nodes`` and ``column_nodes``."""

WING_PARTS = ("WINGS", "WINGCERT", "WINGRESP")
"""Extensions that hold `Wings.share`, ``certainty`` and ``response``; absent when the flat told nothing of them."""

CARDS = ("OFFSET0", "OFFSTEP", "INNRFRAC", "INNRLEN", "HALOFRAC", "HALOLEN")
"""Cards of PROFILE: first offset and step of the table, fraction and length of the inner halo and of the far one."""


def store_profile(profile: ProfileModel, product: Product) -> None:
    """Put a profile into a product."""
    parts = (profile.table, profile.row_nodes, profile.column_nodes)
    product.extras.update(zip(PROFILE_PARTS, parts, strict=True))
    wings = profile.wings
    if wings is not None:
        product.extras.update(zip(WING_PARTS, (wings.share, wings.certainty, wings.response), strict=True))
    numbers = (profile.first_offset, profile.offset_step, *profile.halo)
    product.extra_headers["PROFILE"] = dict(zip(CARDS, numbers, strict=True))


def stored_profile(product: Product) -> ProfileModel:
    """The profile that a product holds; whether it makes sense is `quicklook.profiles.sound_profile`'s to say.

    Raises
    ------
    InvalidInput
        When an extension or a card is missing.
    """
    cards = product.extra_headers.get("PROFILE", {})
    table, rows, columns = (_array(product, name) for name in PROFILE_PARTS)
    try:
        numbers = [float(str(cards[key])) for key in CARDS]
    except (KeyError, ValueError):
        numbers = []
    if table is None or rows is None or columns is None or not numbers:
        raise InvalidInput(
            f"the profile of this map lacks one of {', '.join(PROFILE_PARTS)}, or of the cards {', '.join(CARDS)}; "
            "make the map again with make_tlm",
            path=product.path,
        )
    first, step, inner, inner_length, far, far_length = numbers
    wings = _stored_wings(product)
    return ProfileModel(
        table,
        rows.ravel(),
        columns.ravel(),
        first,
        step,
        inner_fraction=inner,
        inner_length=inner_length,
        halo_fraction=far,
        halo_length=far_length,
        tails=tails(wings.share) if wings is not None and wings.share.size == N_SHARES else (0.0, 0.0),
        wings=wings,
    )


def _stored_wings(product: Product) -> Wings | None:
    share, certainty, response = (_array(product, name) for name in WING_PARTS)
    if share is None or certainty is None or response is None:
        return None
    return Wings(share.ravel(), certainty, response)


def _array(product: Product, name: str) -> FloatArray | None:
    part = product.image(name)
    return None if part is None else np.asarray(part, dtype=np.float64)
