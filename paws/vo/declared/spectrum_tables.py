"""Tables of spectra: the spectra, their targets, the fibres and the products.

Targets are gathered over what whoever asks may see, as fields are (`paws.vo.declared.frame_tables`): two people may
read different numbers, and nobody's tell of what is hidden from them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from adql.catalogue import Position
from paws.vo.declared import fibre_columns as fibres
from paws.vo.declared.columns import important, number, text, time, words
from paws.vo.declared.values import DeclaredKey, DeclaredTable, PositionIndex

_SPECTRUM_INDEX: Final = (PositionIndex("spectrum", "ra", "dec"),)
_POSITION: Final = (Position("ra", "dec"),)
_DID: Final = text(
    "obs_publisher_did",
    "meta.ref.ivoid",
    "Identifier of the spectrum, the same for ever",
    "obscore:Curation.PublisherDID",
)

SPECTRA: Final = DeclaredTable(
    "paws.spectra",
    "Every current reduced spectrum, with figures of its quality. Wavelengths are in air here, as in the files.",
    None,
    "vo.spectra",
    "product",
    "view",
    (
        important(_DID, indexed=True),
        important(fibres.PRODUCT_ID, indexed=True),
        important(fibres.FIBRE),
        fibres.PIVOT,
        important(fibres.TARGET_NAME, indexed=True),
        important(fibres.FIBRE_TYPE),
        *(important(column, indexed=True) for column in fibres.position("the target")),
        important(fibres.MAGNITUDE),
        important(fibres.NIGHT),
        important(fibres.FIELD),
        fibres.PLATE,
        fibres.RUN,
        important(fibres.ARM),
        important(
            text("kind", "meta.code.class", "Kind of product: object, combined, spliced, spliced_combined")
        ),
        important(fibres.GRATING),
        number("wavelength_min", "Angstrom", "em.wl;stat.min", "Shortest wavelength with a value, in air"),
        number("wavelength_max", "Angstrom", "em.wl;stat.max", "Longest wavelength with a value, in air"),
        number("wavelength_step", "Angstrom", "spect.binSize;em.wl", "Step from sample to sample"),
        replace(
            number("em_min", "m", "em.wl;stat.min", "Shortest wavelength with a value, in vacuum"),
            indexed=True,
        ),
        number("em_max", "m", "em.wl;stat.max", "Longest wavelength with a value, in vacuum"),
        number(
            "resolving_power", None, "spect.resolution", "Resolving power in the middle", datatype="float"
        ),
        important(fibres.SIGNAL_TO_NOISE),
        number(
            "flux", None, "phot.count;stat.median", "Median of the spectrum, in flux_unit", datatype="float"
        ),
        text("flux_unit", "meta.unit", "Unit of the spectrum, as the file has it"),
        important(fibres.EXPOSED),
        fibres.EXPOSURES,
        replace(fibres.START, principal=True, indexed=True),
        fibres.END,
        fibres.LEVEL,
        fibres.PROVISIONAL,
        fibres.VERSION,
        time("created_at", "time.creation;meta.dataset", "When it was reduced"),
    ),
    positions=_POSITION,
    keys=(
        DeclaredKey("paws.products", (("product_id", "product_id"),), "The product that holds the spectrum"),
        DeclaredKey(
            "ivoa.obscore", (("obs_publisher_did", "obs_publisher_did"),), "The same spectrum in ObsCore"
        ),
    ),
    position_indexes=_SPECTRUM_INDEX,
)

# Grouped by what the fibre table says of a target and by nothing else: so a search on name or position reaches the
# indexes of the spectra.
TARGETS: Final = DeclaredTable(
    "paws.targets",
    "Every target of which spectra are there, over all fields and nights: a name at a position.",
    None,
    "SELECT r.target_name, r.ra, r.dec, min(r.magnitude) AS magnitude, count(*) AS spectra,"
    " count(DISTINCT (r.night, r.run)) FILTER (WHERE r.kind = 'object') AS exposures,"
    " count(DISTINCT r.night) AS nights, count(DISTINCT r.field) AS fields,"
    " max(r.signal_to_noise) AS best_signal_to_noise,"
    " (array_agg(r.obs_publisher_did ORDER BY r.signal_to_noise DESC NULLS LAST, r.obs_publisher_did))[1]"
    " AS best_publisher_did, min(r.mjd_start) AS mjd_first, max(r.mjd_end) AS mjd_last"
    " FROM vo.spectra AS r WHERE r.fibre_type = 'P' AND {seen} GROUP BY r.target_name, r.ra, r.dec",
    "product",
    "view",
    (
        important(fibres.TARGET_NAME, indexed=True),
        *(important(column, indexed=True) for column in fibres.position("the target")),
        important(fibres.MAGNITUDE),
        important(number("spectra", None, "meta.number", "Spectra, of all kinds and arms", datatype="long")),
        number("exposures", None, "meta.number;obs.exposure", "Exposures", datatype="long"),
        number("nights", None, "meta.number", "Nights", datatype="long"),
        number("fields", None, "meta.number", "Fields", datatype="long"),
        important(
            number(
                "best_signal_to_noise",
                None,
                "stat.snr;stat.max",
                "Signal-to-noise ratio per Angstrom of its best spectrum",
                datatype="float",
            )
        ),
        text("best_publisher_did", "meta.ref.ivoid", "Identifier of its best spectrum"),
        important(number("mjd_first", "d", "time.start;obs", "Start of its first exposure (MJD, UTC)")),
        important(number("mjd_last", "d", "time.end;obs", "End of its last exposure (MJD, UTC)")),
    ),
    positions=_POSITION,
    keys=(
        DeclaredKey(
            "ivoa.obscore", (("best_publisher_did", "obs_publisher_did"),), "The best spectrum of the target"
        ),
    ),
    position_indexes=_SPECTRUM_INDEX,
)

FIBRES: Final = DeclaredTable(
    "paws.fibres",
    "Every fibre of every field of which reduced spectra are there, as it was configured: targets, sky, guides, unused "
    "and broken ones.",
    None,
    "SELECT f.* FROM vo.fibres AS f WHERE EXISTS (SELECT FROM vo.fibre_products AS r"
    " WHERE r.fibre_table_id = f.fibre_table_id AND {seen})",
    "product",
    "view",
    (
        text(
            "fibre_table_id",
            "meta.id",
            "Configuration that the fibre belongs to, derived from all that is in it",
        ),
        important(fibres.NIGHT),
        important(fibres.FIELD),
        important(fibres.PLATE),
        important(fibres.FIBRE),
        important(fibres.PIVOT),
        important(fibres.FIBRE_TYPE),
        important(fibres.TARGET_NAME),
        *(important(column, indexed=True) for column in fibres.position("where the fibre was put")),
        number("x", "um", "pos.cartesian.x;instr", "Position on the plate", datatype="int"),
        number("y", "um", "pos.cartesian.y;instr", "Position on the plate", datatype="int"),
        number("theta", "deg", "pos.posAng;instr", "Angle of the button on the plate"),
        important(fibres.MAGNITUDE),
        number(
            "programme", None, "meta.id", "Number of the programme in the observers' list", datatype="int"
        ),
        text("retractor", "meta.id;instr", "Retractor that holds the fibre"),
        number(
            "pm_ra", "arcsec/yr", "pos.pm;pos.eq.ra", "Proper motion in right ascension", datatype="float"
        ),
        number("pm_dec", "arcsec/yr", "pos.pm;pos.eq.dec", "Proper motion in declination", datatype="float"),
        words("comment", "meta.note", "Remark in the observers' list"),
    ),
    positions=_POSITION,
    keys=(
        DeclaredKey("paws.fields", (("night", "night"), ("field", "field"), ("plate", "plate")), "The field"),
    ),
    position_indexes=(PositionIndex("fibre", "ra", "dec"),),
)

PRODUCTS: Final = DeclaredTable(
    "paws.products",
    "Every product (reduced frame) in all its versions, with the engine's figures of quality. Not there: what somebody "
    "asked for with parameters of their own.",
    None,
    "vo.products",
    "product",
    "view",
    (
        important(text("product_id", "meta.id;meta.dataset", "Identifier of the product"), indexed=True),
        important(
            text(
                "kind", "meta.code.class", "Kind: object, combined, spliced, arc, fflat, tlm, bias and so on"
            )
        ),
        important(fibres.NIGHT),
        important(fibres.ARM),
        important(fibres.FIELD),
        fibres.PLATE,
        important(fibres.GRATING),
        important(fibres.RUN),
        important(fibres.VERSION),
        important(fibres.LEVEL),
        important(
            number("is_current", None, "meta.code.status", "1 if it is the valid version", datatype="short")
        ),
        important(fibres.PROVISIONAL),
        text("engine", "meta.id;meta.software", "Engine that made it: builtin, docker, local"),
        text("engine_version", "meta.version;meta.software", "Version of the engine"),
        fibres.EXPOSURES,
        fibres.CHECKSUM,
        fibres.SIZE,
        important(
            number(
                "signal_to_noise",
                None,
                "stat.snr",
                "Median signal-to-noise ratio per Angstrom of the targets",
            )
        ),
        number(
            "sky_residual", None, "stat.fit.residual", "Residual of sky lines in sky fibres, as a fraction"
        ),
        number("sky_residual_noise", None, "stat.fit.residual", "The same over the expected noise"),
        number(
            "saturated_fraction",
            None,
            "instr.saturation;arith.ratio",
            "Part of the pixels that are saturated",
        ),
        number("profile_fwhm", "pixel", "instr.det.psf", "Width of the fibres' profiles"),
        number("arc_rms", "pixel", "stat.fit.residual;em.wl", "Scatter of the arc lines about the fit"),
        number("wavelength_drift", "pixel", "em.wl;arith.diff", "Shift of the wavelengths since the arc"),
        number(
            "throughput_scatter", None, "stat.stdev;instr", "Spread of the fibres' throughputs, as a fraction"
        ),
        number("finite_fraction", None, "meta.number;arith.ratio", "Part of the samples that have a value"),
        important(time("created_at", "time.creation;meta.dataset", "When it was made")),
        time("superseded_at", "time.end;meta.dataset", "When a better version took its place"),
        time("taken_in_at", "time;meta.table", "When its spectra came into these tables"),
    ),
)
