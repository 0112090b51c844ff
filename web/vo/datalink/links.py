"""Which links a spectrum has, and what each means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from adql.catalogue import Column
from paws.vo.identifiers import publisher_did
from schemas.vocabulary import ProductKind
from web.storage.links import Behind, RawFrame, Relative
from web.storage.spectra import SpectrumRecord
from web.vo.spectra.files import FITS, PNG, VOTABLE
from web.vo.spectra.making import SUFFIXES

HTML: Final = "text/html"
LOG: Final = "text/plain"


def _column(name: str, ucd: str, description: str) -> Column:
    return Column(name, "char", "*", ucd=ucd, description=description)


COLUMNS: Final = (
    # Whatever was asked for is repeated, whichever letters it has.
    Column("ID", "unicodeChar", "*", ucd="meta.id;meta.main", description="Identifier that was asked for"),
    _column("access_url", "meta.ref.url", "Where it is"),
    _column("service_def", "meta.ref", "Descriptor of the service to call"),
    _column("error_message", "meta.code.error", "Why there is no link"),
    _column("semantics", "meta.code", "What it is to the spectrum: term of the vocabulary datalink/core"),
    Column("description", "unicodeChar", "*", ucd="meta.note", description="The same in words"),
    _column("content_type", "meta.code.mime", "Media type"),
    Column(
        "content_length",
        "long",
        unit="byte",
        ucd="phys.size;meta.file",
        description="Size, where it is known",
    ),
    _column("content_qualifier", "meta.code", "Type of the data: term of the vocabulary product-type"),
    _column("local_semantics", "meta.code", "What it is more exactly, such as counterpart"),
)
"""Columns of the table of links (DataLink 1.1, section 3.2)."""

# Only words that the vocabulary has had from its beginning: readers and validators keep copies of it, and call newer
# ones, such as counterpart, mistakes. Those stand in local_semantics.
_OF_THE_TARGET: Final = "counterpart"
_OF_THE_FRAMES: Final = "coderived"
_PAGE: Final = "documentation"

NOT_FOUND: Final = "NotFoundFault: there is no such spectrum"
_CALIBRATION: Final = {
    ProductKind.BIAS: "#bias",
    ProductKind.COMBINED_BIAS: "#bias",
    ProductKind.DARK: "#dark",
    ProductKind.COMBINED_DARK: "#dark",
    ProductKind.LFLAT: "#flat",
    ProductKind.COMBINED_LFLAT: "#flat",
    ProductKind.FFLAT: "#flat",
}


@dataclass(frozen=True, kw_only=True)
class Link:
    """A row of the table: exactly one of address, service and error is given."""

    ident: str
    semantics: str
    access_url: str | None = None
    service_def: str | None = None
    error_message: str | None = None
    description: str = ""
    content_type: str | None = None
    content_length: int | None = None
    content_qualifier: str | None = None
    local_semantics: str | None = None

    @property
    def row(self) -> tuple[object, ...]:
        """In the order of `COLUMNS`."""
        return (
            *(self.ident, self.access_url, self.service_def, self.error_message, self.semantics),
            *(
                self.description,
                self.content_type,
                self.content_length,
                self.content_qualifier,
                self.local_semantics,
            ),
        )


@dataclass(frozen=True)
class Surroundings:
    """What is known around some spectra, as far as the visitor may see it.

    Attributes
    ----------
    raw
        Raw frames.
    behind
        Products that went into theirs.
    relatives
        Other spectra of the same targets.
    logs
        Reductions that have a log.
    """

    raw: Sequence[RawFrame] = ()
    behind: Sequence[Behind] = ()
    relatives: Sequence[Relative] = ()
    logs: frozenset[str] = field(default_factory=frozenset)


def failed(ident: str, message: str) -> Link:
    """What is told of an identifier that has no links."""
    return Link(ident=ident, semantics="#this", error_message=message)


def links_of(
    ident: str, record: SpectrumRecord, around: Surroundings, base: str, authority: str, service: str | None
) -> list[Link]:
    """All links of a spectrum or product.

    Parameters
    ----------
    ident
        Identifier as it was asked for.
    base
        Address of the installation, without a slash at its end.
    service
        XML identifier of the descriptor of cut-outs of this spectrum, if the answer has one.
    """
    found = [*_this(ident, record, base)]
    if record.fibre is not None and service is not None:
        found.append(
            Link(
                ident=ident,
                semantics="#cutout",
                service_def=service,
                description="Part of this spectrum between two wavelengths",
                content_type=FITS,
                content_qualifier="#spectrum",
            )
        )
    found += _related(ident, record, around.relatives, base, authority)
    found += _raw(ident, record, around.raw, base)
    found += _behind(ident, record, around.behind, base)
    found += _pages(ident, record, record.job_key in around.logs, base)
    return found


def _this(ident: str, record: SpectrumRecord, base: str) -> Iterable[Link]:
    product = Link(
        ident=ident,
        semantics="#this" if record.fibre is None else "#progenitor",
        access_url=_product(base, record.product_id, "/file"),
        description=f"The whole product, all fibres: {record.path}",
        content_type=FITS,
        content_length=record.size_bytes,
        local_semantics="product",
    )
    if record.fibre is None:
        yield product
        return
    here = f"{base}/vo/spectra/{record.product_id}/{record.fibre}"
    for media_type, words in ((FITS, "FITS"), (VOTABLE, "VOTable")):
        yield Link(
            ident=ident,
            semantics="#this",
            access_url=f"{here}.{SUFFIXES[media_type]}",
            description=f"{record.title}, wavelengths in vacuum ({words})",
            content_type=media_type,
            content_qualifier="#spectrum",
            local_semantics=SUFFIXES[media_type],
        )
    yield Link(
        ident=ident,
        semantics="#preview",
        access_url=f"{here}.{SUFFIXES[PNG]}",
        description=f"Picture of {record.title}",
        content_type=PNG,
    )
    yield product


def relation(record: SpectrumRecord, relative: Relative) -> tuple[str, str, str]:
    """What another spectrum of the same target is to this one: term of the vocabulary, more exact term, words."""
    arm = relative.arm or "both arms"
    words = f"{relative.kind.meaning}, {arm}"
    if relative.frames < relative.own_frames:
        return "#progenitor", "spectrum", f"One of what this was made of: {words}"
    mine, theirs = _rank(ProductKind(record.kind)), _rank(relative.kind)
    if relative.frames > relative.own_frames or (relative.frames == relative.own_frames and theirs > mine):
        return "#derivation", "spectrum", f"Made of this and others: {words}"
    if relative.frames == relative.own_frames and theirs < mine:
        return "#progenitor", "spectrum", f"One of what this was made of: {words}"
    if relative.frames & relative.own_frames:
        return "#auxiliary", _OF_THE_FRAMES, f"Of the same raw frames: {words}"
    if relative.run == record.run and relative.arm != record.arm:
        return "#auxiliary", _OF_THE_TARGET, f"The same exposure in the other arm: {words}"
    return "#auxiliary", _OF_THE_TARGET, f"The same target in another exposure: {words}"


def _rank(kind: ProductKind) -> int:
    """Combined spectra are made of single ones, spliced ones of both arms'."""
    order = (ProductKind.OBJECT, ProductKind.SPLICED, ProductKind.COMBINED, ProductKind.SPLICED_COMBINED)
    return order.index(kind) if kind in order else -1


def _related(
    ident: str, record: SpectrumRecord, relatives: Iterable[Relative], base: str, authority: str
) -> Iterable[Link]:
    for one in relatives:
        if one.of != record.named:
            continue
        semantics, exact, words = relation(record, one)
        run = "" if one.run is None else f", run {one.run:04d}"
        did = publisher_did(authority, one.product_id, record.fibre)
        yield Link(
            ident=ident,
            semantics=semantics,
            access_url=f"{base}/vo/spectra/{one.product_id}/{record.fibre}.{SUFFIXES[FITS]}",
            description=f"{words}{run} ({did})",
            content_type=FITS,
            content_qualifier="#spectrum",
            local_semantics=exact,
        )


def _raw(ident: str, record: SpectrumRecord, raw: Iterable[RawFrame], base: str) -> Iterable[Link]:
    for frame in raw:
        if frame.product_id == record.product_id:
            yield Link(
                ident=ident,
                semantics="#progenitor",
                access_url=f"{base}/vo/frames/{quote(frame.frame_id, safe='')}/file",
                description=f"Raw frame {frame.name} ({frame.frame_class}, {frame.arm})",
                content_type=FITS,
                content_length=frame.size_bytes,
                local_semantics="raw",
            )


def _behind(ident: str, record: SpectrumRecord, behind: Iterable[Behind], base: str) -> Iterable[Link]:
    for one in behind:
        # Spectra of the same fibre are told of above, one by one.
        if one.root != record.job_key or one.kind.has_spectra:
            continue
        run = "" if one.run is None else f" {one.run:04d}"
        arm = f", {one.arm}" if one.arm else ""
        yield Link(
            ident=ident,
            semantics=_CALIBRATION.get(one.kind, "#calibration"),
            access_url=_product(base, one.product_id, "/file"),
            description=f"Calibration that was used: {one.kind.meaning}{run}{arm}",
            content_type=FITS,
            content_length=one.size_bytes,
        )


def _pages(ident: str, record: SpectrumRecord, has_log: bool, base: str) -> Iterable[Link]:
    if has_log:
        yield Link(
            ident=ident,
            semantics="#auxiliary",
            access_url=f"{base}/reductions/{record.job_key}/log",
            description="Log of the reduction",
            content_type=LOG,
            local_semantics="log",
        )
    fibre = "" if record.fibre is None else f"?fibre={record.fibre}"
    yield Link(
        ident=ident,
        semantics="#auxiliary",
        access_url=_product(base, record.product_id, fibre),
        description="How it was made, and all of the field: page for people",
        content_type=HTML,
        local_semantics=_PAGE,
    )
    fibre = "" if record.fibre is None else f"&fibre={record.fibre}"
    yield Link(
        ident=ident,
        semantics="#auxiliary",
        access_url=f"{base}/explorer?product={quote(record.product_id, safe='')}{fibre}",
        description="Explorer: the spectrum, its sky and error, its neighbours on the plate",
        content_type=HTML,
        local_semantics="explorer",
    )


def _product(base: str, product_id: str, rest: str) -> str:
    return f"{base}/products/{quote(product_id, safe='')}{rest}"
