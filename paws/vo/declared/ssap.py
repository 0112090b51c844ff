"""``ssap.spectra``: what the Simple Spectral Access protocol (SSA 1.1) answers with, to be asked in ADQL."""

from __future__ import annotations

from typing import Final

from adql.catalogue import Column, Position
from paws.vo.declared import fibre_columns as fibres
from paws.vo.declared.columns import important, number, text, time, words
from paws.vo.declared.values import DeclaredKey, DeclaredSchema, DeclaredTable, PositionIndex


def _ssa(utype: str) -> str:
    return f"ssa:{utype}"


_COLUMNS: Final = (
    text("accref", "meta.ref.url", "Address of all that belongs to the spectrum", _ssa("Access.Reference")),
    text("mime", "meta.code.mime", "Media type of what is there", _ssa("Access.Format")),
    number(
        "accsize",
        "kbyte",
        "phys.size;meta.file",
        "Size of the spectrum as a FITS table, about",
        _ssa("Access.Size"),
        "long",
    ),
    words(
        "ssa_dstitle",
        "meta.title;meta.dataset",
        "Target, night, field, arm and grating in one line",
        _ssa("DataID.Title"),
    ),
    text(
        "ssa_pubdid",
        "meta.ref.ivoid",
        "Identifier of the spectrum, the same for ever",
        _ssa("Curation.PublisherDID"),
    ),
    time("ssa_cdate", "time;meta.dataset", "When the spectrum was reduced", _ssa("DataID.Date")),
    time("ssa_pdate", "time.release", "First day at which everybody may see it", _ssa("Curation.Date")),
    text("ssa_bandpass", "instr.bandpass", "Arm and grating", _ssa("DataID.Bandpass")),
    text("ssa_cversion", "meta.version;meta.dataset", "Version of the product", _ssa("DataID.Version")),
    words("ssa_targname", "meta.id;src", "Name of the target in the observers' list", _ssa("Target.Name")),
    text("ssa_targclass", "src.class", "sky for fibres on empty sky", _ssa("Target.Class")),
    number("ssa_snr", None, "stat.snr", "Median signal-to-noise ratio per Angstrom", _ssa("Derived.SNR")),
    Column(
        "ssa_location",
        "double",
        "2",
        "point",
        "deg",
        "pos.eq",
        _ssa("Char.SpatialAxis.Coverage.Location.Value"),
        "Position of the target (ICRS)",
    ),
    Column(
        "ssa_region",
        "double",
        "3",
        "circle",
        "deg",
        "pos.outline;obs.field",
        _ssa("Char.SpatialAxis.Coverage.Support.Area"),
        "The fibre on the sky",
    ),
    number(
        "ssa_aperture",
        "deg",
        "phys.angSize;instr.fov",
        "Diameter of the fibre on the sky",
        _ssa("Char.SpatialAxis.Coverage.Bounds.Extent"),
    ),
    number(
        "ssa_dateobs",
        "d",
        "time.epoch",
        "Middle of the observation (MJD, UTC)",
        _ssa("Char.TimeAxis.Coverage.Location.Value"),
    ),
    number(
        "ssa_timeext",
        "s",
        "time.duration",
        "Exposure time in all",
        _ssa("Char.TimeAxis.Coverage.Bounds.Extent"),
    ),
    number(
        "ssa_timestart",
        "d",
        "time.start;obs.exposure",
        "Start of the first exposure (MJD, UTC)",
        _ssa("Char.TimeAxis.Coverage.Bounds.Start"),
    ),
    number(
        "ssa_timestop",
        "d",
        "time.end;obs.exposure",
        "End of the last exposure (MJD, UTC)",
        _ssa("Char.TimeAxis.Coverage.Bounds.Stop"),
    ),
    number(
        "ssa_specmid",
        "m",
        "em.wl;instr.bandpass",
        "Middle of the wavelengths, in vacuum",
        _ssa("Char.SpectralAxis.Coverage.Location.Value"),
    ),
    number(
        "ssa_specext",
        "m",
        "em.wl;instr.bandwidth",
        "Width of the range of wavelengths",
        _ssa("Char.SpectralAxis.Coverage.Bounds.Extent"),
    ),
    number(
        "ssa_specstart",
        "m",
        "em.wl;stat.min",
        "Shortest wavelength with a value, in vacuum",
        _ssa("Char.SpectralAxis.Coverage.Bounds.Start"),
    ),
    number(
        "ssa_specend",
        "m",
        "em.wl;stat.max",
        "Longest wavelength with a value, in vacuum",
        _ssa("Char.SpectralAxis.Coverage.Bounds.Stop"),
    ),
    number("ssa_specrp", None, "spect.resolution", "Resolving power", _ssa("Char.SpectralAxis.ResPower")),
    number(
        "ssa_specres",
        "m",
        "spect.resolution;em.wl",
        "Width of an unresolved line",
        _ssa("Char.SpectralAxis.Resolution"),
    ),
    number("ssa_length", None, "meta.number", "Samples of the spectrum", _ssa("Dataset.Length"), "long"),
    text("ssa_dstype", "meta.code.class", "Kind of data: Spectrum", _ssa("Dataset.DataType")),
    text("ssa_model", "meta.code", "Data model and version", _ssa("Dataset.DataModel")),
    text("ssa_publisher", "meta.curation", "Who publishes the data", _ssa("Curation.Publisher")),
    text("ssa_creator", "meta.id", "Who made the data", _ssa("DataID.Creator")),
    text("ssa_collection", "meta.id", "Collection of data", _ssa("DataID.Collection")),
    text("ssa_facility", "meta.id;instr.tel", "Telescope", _ssa("DataID.Facility")),
    text("ssa_instrument", "meta.id;instr", "Instrument", _ssa("DataID.Instrument")),
    text("ssa_datasource", "meta.code", "How the data came about: pointed", _ssa("DataID.DataSource")),
    text("ssa_creationtype", "meta.code", "What is given: archival", _ssa("DataID.CreationType")),
    text("ssa_fluxucd", "meta.ucd", "UCD of what was measured", _ssa("Char.FluxAxis.Ucd")),
    text("ssa_fluxunit", "meta.unit", "Unit of what was measured", _ssa("Char.FluxAxis.Unit")),
    text(
        "ssa_fluxcalib",
        "meta.code.qual",
        "UNCALIBRATED for counts, else ABSOLUTE",
        _ssa("Char.FluxAxis.Calibration"),
    ),
    text("ssa_spectralucd", "meta.ucd", "UCD of the spectral axis", _ssa("Char.SpectralAxis.Ucd")),
    text("ssa_spectralunit", "meta.unit", "Unit of the spectral axis", _ssa("Char.SpectralAxis.Unit")),
    text(
        "ssa_speccalib",
        "meta.code.qual",
        "How the spectral axis is calibrated",
        _ssa("Char.SpectralAxis.Calibration"),
    ),
    text(
        "ssa_rights",
        "meta.code",
        "Who may see it today: public, proprietary",
        _ssa("Curation.Rights"),
    ),
    text("ssa_proposal", "meta.id;obs.proposal", "Proposal for which it was observed"),
    *(important(column, indexed=True) for column in fibres.position("the target")),
    fibres.PRODUCT_ID,
    fibres.FIBRE,
    fibres.ARM,
    fibres.NIGHT,
    text(
        "dataproduct_subtype",
        "meta.code.class",
        "Kind of product: object, combined, spliced, spliced_combined",
    ),
    number(
        "calib_level",
        None,
        "meta.code;obs.calib",
        "2 for an exposure, 3 for what was combined of several",
        datatype="int",
    ),
)

SSAP: Final = DeclaredSchema(
    "ssap",
    "Spectra as the Simple Spectral Access protocol describes them.",
    None,
    (
        DeclaredTable(
            "ssap.spectra",
            "Every current reduced spectrum, with the columns of the Simple Spectral Access protocol (SSA 1.1). "
            "A newly reduced spectrum is here within a second.",
            None,
            "vo.ssap",
            "product",
            "view",
            _COLUMNS,
            positions=(Position("ra", "dec"),),
            keys=(
                DeclaredKey(
                    "ivoa.obscore", (("ssa_pubdid", "obs_publisher_did"),), "The same spectrum in ObsCore"
                ),
            ),
            position_indexes=(PositionIndex("spectrum", "ra", "dec"),),
        ),
    ),
)
