"""What is said of a spectrum in the words of the Spectral Data Model 1.1 (McDowell et al. 2011)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from paws.settings import Settings
from paws.vo.identifiers import publisher_did
from web.spectra import FibreSpectrum, SpectraLayout
from web.spectrum_files import facts_of
from web.storage.spectra import SpectrumRecord
from web.vo.spectra.samples import Samples

MODEL: Final = "Spectrum-1.1"
APERTURE: Final = 2.1 / 3600
"""Degrees on the sky: the diameter of a 2dF fibre."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that is said.

    Attributes
    ----------
    keyword
        In headers of FITS files, as table 1 of the model has it.
    utype
        In VOTables, without the model's prefix; empty for what the model has no word for.
    """

    keyword: str
    utype: str
    value: str | float | int | bool
    unit: str = ""
    ucd: str = ""
    meaning: str = ""


def describe(
    record: SpectrumRecord,
    layout: SpectraLayout,
    found: FibreSpectrum,
    samples: Samples,
    settings: Settings,
) -> list[Said]:
    """All that is said of a spectrum; what is not known is left out.

    Parameters
    ----------
    samples
        Those that are written: of a part, the part's.
    """
    told = [
        *_dataset(record, samples, settings),
        *_target(record),
        *_coverage(record, samples),
        *_axes(samples),
    ]
    model = [Said(*one) for one in told if _is_known(one[2])]
    taken = {one.keyword for one in model} | {"AIRORVAC"}
    ours = facts_of(layout, found, _as_row(record), record.signal_to_noise)
    return model + [
        Said(one.keyword, "", one.value, one.unit, "", one.meaning)
        for one in ours
        if one.keyword not in taken
    ]


_Told = tuple[str, str, Any, str, str, str]


def _dataset(record: SpectrumRecord, samples: Samples, settings: Settings) -> Iterable[_Told]:
    made = record.created_at.astimezone(UTC)
    return (
        ("VOCLASS", "Dataset.DataModel", MODEL, "", "", "data model"),
        ("DATATYPE", "Dataset.Type", "Spectrum", "", "", "type of the dataset"),
        ("DATALEN", "Dataset.Length", len(samples.wavelength), "", "meta.number", "number of samples"),
        ("TITLE", "DataID.Title", record.title, "", "meta.title;meta.dataset", "title"),
        ("AUTHOR", "DataID.Creator", settings.vo_creator, "", "", "who made the data"),
        ("COLLECT1", "DataID.Collection", settings.vo_collection, "", "", "collection"),
        (
            "DATE",
            "DataID.Date",
            f"{made:%Y-%m-%dT%H:%M:%S}",
            "",
            "time;meta.dataset",
            "when it was reduced (UTC)",
        ),
        ("VERSION", "DataID.Version", str(record.version), "", "meta.version;meta.dataset", "version"),
        ("INSTRUME", "DataID.Instrument", "AAOmega", "", "meta.id;instr", "instrument"),
        (
            "BANDPASS",
            "DataID.Bandpass",
            record.arm or "both arms",
            "",
            "instr.bandpass",
            "arm of the spectrograph",
        ),
        ("DSSOURCE", "DataID.DataSource", "pointed", "", "", "source of the data"),
        (
            "CRETYPE",
            "DataID.CreationType",
            "cutout" if samples.part else "archival",
            "",
            "",
            "how it was made",
        ),
        ("VOPUB", "Curation.Publisher", settings.vo_publisher, "", "meta.curation", "publisher"),
        ("VODATE", "Curation.Date", f"{made:%Y-%m-%d}", "", "", "date of publication"),
        (
            "DS_IDPUB",
            "Curation.PublisherDID",
            publisher_did(settings.vo_authority, record.product_id, record.fibre),
            "",
            "meta.ref.ivoid;meta.curation",
            "publisher's identifier",
        ),
        ("VORIGHTS", "Curation.Rights", rights_of(record), "", "", "who may see it"),
        (
            "CONTACT",
            "Curation.Contact.Name",
            settings.vo_contact_name,
            "",
            "meta.bib.author;meta.curation",
            "contact",
        ),
        (
            "EMAIL",
            "Curation.Contact.Email",
            settings.vo_contact_email,
            "",
            "meta.ref.url;meta.email",
            "contact",
        ),
    )


def rights_of(record: SpectrumRecord) -> str:
    """Who may see it today."""
    return "public" if record.public_on <= datetime.now(UTC).date() else "proprietary"


def _target(record: SpectrumRecord) -> Iterable[_Told]:
    return (
        ("OBJECT", "Target.Name", record.target_name, "", "meta.id;src", "name of the target"),
        ("SRCCLASS", "Target.Class", "sky" if record.fibre_type == "S" else None, "", "src.class", "class"),
        (
            "DER_SNR",
            "Derived.SNR",
            record.signal_to_noise,
            "",
            "stat.snr",
            "median signal to noise per Angstrom",
        ),
    )


def _coverage(record: SpectrumRecord, samples: Samples) -> Iterable[_Told]:
    start, end = record.mjd_start, record.mjd_end
    middle = None if start is None or end is None else (start + end) / 2
    elapsed = None if start is None or end is None else (end - start) * 86400
    low, high = samples.range
    position = None if record.ra is None or record.dec is None else f"{record.ra:.7f} {record.dec:.7f}"
    space, time, light = ("Char.SpatialAxis.", "Char.TimeAxis.", "Char.SpectralAxis.")
    where, span = "Coverage.Location.Value", "Coverage.Bounds."
    return (
        ("SKYPOS", f"{space}{where}", position, "deg", "pos.eq", "position of the fibre, ICRS"),
        ("RA_TARG", "", record.ra, "deg", "pos.eq.ra;src", "right ascension of the target, ICRS"),
        ("DEC_TARG", "", record.dec, "deg", "pos.eq.dec;src", "declination of the target, ICRS"),
        (
            "APERTURE",
            f"{space}{span}Extent",
            APERTURE,
            "deg",
            "phys.angSize;instr.fov",
            "diameter of the fibre on the sky",
        ),
        ("TMID", f"{time}{where}", middle, "d", "time.epoch", "middle of the exposures, MJD"),
        ("TELAPSE", f"{time}{span}Extent", elapsed, "s", "time.duration", "from the first to the last"),
        ("TSTART", f"{time}{span}Start", start, "d", "time.start;obs.exposure", "begin of the first, MJD"),
        ("TSTOP", f"{time}{span}Stop", end, "d", "time.end;obs.exposure", "end of the last, MJD"),
        (
            "EXPOSURE",
            f"{time}Coverage.Support.Extent",
            record.exposed,
            "s",
            "time.duration;obs.exposure",
            "exposure",
        ),
        ("SPEC_VAL", f"{light}{where}", (low + high) / 2, "Angstrom", "instr.bandpass", "middle wavelength"),
        (
            "SPEC_BW",
            f"{light}{span}Extent",
            high - low,
            "Angstrom",
            "instr.bandwidth",
            "range of wavelengths",
        ),
        ("TDMIN1", f"{light}{span}Start", low, "Angstrom", "em.wl;stat.min", "lowest wavelength"),
        ("TDMAX1", f"{light}{span}Stop", high, "Angstrom", "em.wl;stat.max", "highest wavelength"),
        ("SPEC_RP", f"{light}ResPower", record.resolving_power, "", "spect.resolution", "resolving power"),
    )


def _axes(samples: Samples) -> Iterable[_Told]:
    return (
        ("RADESYS", "CoordSys.SpaceFrame.Name", "ICRS", "", "", "frame of positions"),
        ("TIMESYS", "CoordSys.TimeFrame.Name", "UTC", "", "", "scale of times"),
        ("MJDREF", "CoordSys.TimeFrame.Zero", 0.0, "d", "", "times are modified Julian dates"),
        ("SPECSYS", "CoordSys.SpectralFrame.RefPos", "TOPOCENT", "", "", "wavelengths as observed"),
        ("AIRORVAC", "", samples.medium, "", "", "medium of the wavelengths"),
        ("SPECCAL", "Char.SpectralAxis.Calibration", "CALIBRATED", "", "meta.code.qual", "wavelengths"),
        ("FLUX_CAL", "Char.FluxAxis.Calibration", samples.flux_calibration, "", "meta.code.qual", "fluxes"),
    )


def _is_known(value: object) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and not math.isfinite(value))


def _as_row(record: SpectrumRecord) -> dict[str, Any]:
    names = (
        "product_id",
        "path",
        "checksum",
        "version",
        "provenance",
        "field",
        "night",
        "plate",
        "arm",
        "grating",
    )
    return {name: getattr(record, name) for name in (*names, "level", "provisional")}
