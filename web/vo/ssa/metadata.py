"""What the service says of its own parameters (FORMAT=METADATA; SSA 1.1, section 6)."""

from __future__ import annotations

from typing import Final

from web.vo.ssa.question import DEFAULT_SIZE, MAXREC, MOST_RECORDS
from web.vo.xml import Markup, element

_FORMATS: Final = ("all", "compliant", "native", "graphic", "votable", "fits", "metadata")

_INPUTS: Final = (
    (
        "POS",
        "char",
        "*",
        None,
        "pos.eq",
        "",
        "Position: right ascension and declination in degrees, ICRS, with a comma",
    ),
    ("SIZE", "double", None, "deg", "phys.angSize", str(DEFAULT_SIZE), "Diameter of the circle around POS"),
    ("BAND", "char", "*", "m", "em.wl", "", "Wavelengths in vacuum, such as 4.8e-7/5.1e-7; or blue, red"),
    ("TIME", "char", "*", None, "time", "", "Range of dates, UTC, such as 2026-03-12/2026-03-14"),
    ("TARGETNAME", "char", "*", None, "meta.id;src", "", "Name of the target, as the observers have it"),
    ("TARGETCLASS", "char", "*", None, "src.class", "", "sky for fibres on empty sky"),
    ("PUBDID", "char", "*", None, "meta.ref.ivoid", "", "Identifier of a spectrum"),
    ("COLLECTION", "char", "*", None, "meta.id", "", "Collection of data"),
    ("SNR", "char", "*", None, "stat.snr", "", "Signal to noise per Angstrom, such as 5/ for 5 and more"),
    ("SPECRP", "char", "*", None, "spect.resolution", "", "Resolving power, such as 1000/"),
    ("FLUXCALIB", "char", "*", None, "meta.code.qual", "", "UNCALIBRATED or ABSOLUTE"),
    ("WAVECALIB", "char", "*", None, "meta.code.qual", "", "CALIBRATED"),
)


def input_params() -> list[Markup]:
    """Parameters of queries, as PARAM elements."""
    found = [
        _input(name, datatype, size, unit, ucd, value, words)
        for name, datatype, size, unit, ucd, value, words in _INPUTS
    ]
    options = [element("OPTION", {"value": name}) for name in _FORMATS]
    found.append(
        element(
            "PARAM",
            {
                "ID": "INPUT_FORMAT",
                "name": "INPUT:FORMAT",
                "datatype": "char",
                "arraysize": "*",
                "value": "votable",
            },
            element("DESCRIPTION", None, "Formats of spectra; each has a row of the answer"),
            element("VALUES", None, *options),
        )
    )
    found.append(
        element(
            "PARAM",
            {"ID": "INPUT_MAXREC", "name": "INPUT:MAXREC", "datatype": "int", "value": MAXREC},
            element("DESCRIPTION", None, "Rows of the answer at most"),
            element("VALUES", None, element("MIN", {"value": 0}), element("MAX", {"value": MOST_RECORDS})),
        )
    )
    return found


def _input(
    name: str, datatype: str, size: str | None, unit: str | None, ucd: str, value: str, words: str
) -> Markup:
    attributes = {
        "ID": f"INPUT_{name}",
        "name": f"INPUT:{name}",
        "datatype": datatype,
        "arraysize": size,
        "unit": unit,
        "ucd": ucd,
    }
    return element("PARAM", {**attributes, "value": value}, element("DESCRIPTION", None, words))
