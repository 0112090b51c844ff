"""Queries to begin with: shown to people, and marked up for programs as DALI 1.1 (section 2.3) asks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from web.vo.xml import document, element

VOCABULARY: Final = "ivo://ivoa.net/std/DALI#examples"


@dataclass(frozen=True)
class Example:
    """A query that works here.

    Attributes
    ----------
    key
        Name within the page.
    tables
        That it asks: it is shown to who sees them all.
    """

    key: str
    name: str
    text: str
    query: str
    tables: tuple[str, ...]


EXAMPLES: Final = (
    Example(
        "newest",
        "The newest spectra",
        "What was reduced last, with its signal to noise. A spectrum is here within a second of its reduction.",
        "SELECT TOP 50 target_name, s_ra, s_dec, arm, signal_to_noise, t_min, obs_publisher_did\n"
        "FROM ivoa.obscore\nORDER BY t_min DESC",
        ("ivoa.obscore",),
    ),
    Example(
        "cone",
        "Spectra around a position",
        "A cone of six arcminutes. DISTANCE and CONTAINS both use the index of positions.",
        "SELECT target_name, s_ra, s_dec, em_min, em_max, access_url,\n"
        "  DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 187.70593, 12.39112)) AS away\n"
        "FROM ivoa.obscore\n"
        "WHERE DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 187.70593, 12.39112)) < 0.1\nORDER BY away",
        ("ivoa.obscore",),
    ),
    Example(
        "contains",
        "The same with CONTAINS",
        "The form of ADQL 2.0, with a coordinate system.",
        "SELECT TOP 100 *\nFROM ivoa.obscore\n"
        "WHERE 1 = CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 187.70593, 12.39112, 0.1))",
        ("ivoa.obscore",),
    ),
    Example(
        "h-alpha",
        "Good spectra that cover a wavelength",
        "Those of both arms that hold 656.46 nm, vacuum, with at least 5 per Angstrom.",
        "SELECT TOP 100 target_name, em_min, em_max, signal_to_noise\nFROM ivoa.obscore\n"
        "WHERE 656.46e-9 BETWEEN em_min AND em_max AND signal_to_noise > 5\nORDER BY signal_to_noise DESC",
        ("ivoa.obscore",),
    ),
    Example(
        "targets",
        "Targets that were observed often",
        "One row a target, over all fields and nights.",
        "SELECT TOP 100 target_name, ra, dec, spectra, best_signal_to_noise\nFROM paws.targets\n"
        "WHERE spectra > 1\nORDER BY spectra DESC",
        ("paws.targets",),
    ),
    Example(
        "night",
        "How nights went, by field",
        "Frames and time on each field, the newest first.",
        "SELECT TOP 100 night, field, frames, exposures, exposed_blue, exposed_red, reduced\nFROM paws.fields\n"
        "ORDER BY night DESC",
        ("paws.fields",),
    ),
    Example(
        "upload",
        "Spectra of your own list",
        "Send a table with columns ra and dec in degrees along (UPLOAD=mine,param:...), and match within 2 arcseconds.",
        "SELECT mine.*, o.target_name, o.obs_publisher_did, o.signal_to_noise\n"
        "FROM TAP_UPLOAD.mine AS mine\n"
        "JOIN ivoa.obscore AS o\n"
        "  ON DISTANCE(mine.ra, mine.dec, o.s_ra, o.s_dec) < 2.0 / 3600",
        ("ivoa.obscore", "tap_upload.mine"),
    ),
    Example(
        "columns",
        "What columns there are",
        "Every column of a table, with its unit and meaning.",
        "SELECT column_name, datatype, unit, ucd, description\nFROM TAP_SCHEMA.columns\n"
        "WHERE table_name = 'ivoa.obscore'\nORDER BY column_index",
        ("tap_schema.columns",),
    ),
)


def examples_for(tables: Collection[str], *, uploads: bool = True) -> list[Example]:
    """Examples that work for somebody.

    Parameters
    ----------
    tables
        That they see, in small letters.
    uploads
        Also those that need a table of their own.
    """
    return [
        example
        for example in EXAMPLES
        if all(name in tables or (uploads and name.startswith("tap_upload.")) for name in example.tables)
    ]


def examples_document(tables: Collection[str], base: str) -> bytes:
    """The page of examples for programs; without those that need an upload, which they cannot make up."""
    shown = examples_for(tables, uploads=False)
    return document(
        element(
            "html",
            {"xmlns": "http://www.w3.org/1999/xhtml", "lang": "en", "xml:lang": "en"},
            element("head", None, element("title", None, "Examples of queries")),
            element(
                "body",
                {"vocab": VOCABULARY},
                element("h1", None, "Examples of queries"),
                element("p", None, f"For {base}/tap, in ADQL."),
                *(
                    element(
                        "div",
                        {"typeof": "example", "id": example.key, "resource": f"#{example.key}"},
                        element("h2", {"property": "name"}, example.name),
                        element("p", None, example.text),
                        element("pre", {"property": "query"}, example.query),
                        *(
                            element("p", None, "Table: ", element("code", {"property": "table"}, name))
                            for name in example.tables
                        ),
                    )
                    for example in shown
                ),
            ),
        )
    )
