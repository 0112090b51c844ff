"""``ivoa.obscore``: ObsCore 1.1, and what makes a fibre spectrum of 2dF beside it."""

from __future__ import annotations

from typing import Final

from adql.catalogue import Position
from paws.vo.declared import fibre_columns as fibres
from paws.vo.declared.obscore_columns import ACCESS, DATASET, LIGHT, WHEN, WHERE
from paws.vo.declared.values import DeclaredKey, DeclaredSchema, DeclaredTable, PositionIndex

_OURS: Final = (
    fibres.SIGNAL_TO_NOISE,
    fibres.MAGNITUDE,
    fibres.FIBRE,
    fibres.PIVOT,
    fibres.FIBRE_TYPE,
    fibres.NIGHT,
    fibres.FIELD,
    fibres.PLATE,
    fibres.RUN,
    fibres.ARM,
    fibres.GRATING,
    fibres.LEVEL,
    fibres.PROVISIONAL,
    fibres.VERSION,
    fibres.EXPOSURES,
    fibres.PRODUCT_ID,
)

IVOA: Final = DeclaredSchema(
    "ivoa",
    "Tables that the Virtual Observatory has everywhere.",
    None,
    (
        DeclaredTable(
            "ivoa.obscore",
            "Every current reduced spectrum, as ObsCore 1.1 describes observations. A newly reduced spectrum is here "
            "within a second; a better version takes the place of the one before.",
            "ivo://ivoa.net/std/ObsCore#core-1.1",
            "vo.obscore",
            "product",
            "view",
            (*DATASET, *ACCESS, *WHERE, *WHEN, *LIGHT, *_OURS),
            positions=(Position("s_ra", "s_dec"),),
            keys=(
                DeclaredKey(
                    "paws.spectra",
                    (("obs_publisher_did", "obs_publisher_did"),),
                    "What else is known of the spectrum",
                ),
                DeclaredKey(
                    "paws.products", (("product_id", "product_id"),), "The product that holds the spectrum"
                ),
            ),
            position_indexes=(PositionIndex("spectrum", "ra", "dec"),),
        ),
    ),
)
