"""The columns of ObsCore 1.1 that we know: the mandatory ones, and optional ones.

Names, types, units, UCDs and utypes are the Recommendation's (tables 6 and 7, with its errata).
"""

from __future__ import annotations

from typing import Final

from adql.catalogue import Column
from paws.vo.declared.columns import number, standard, text, time, words


def _core(utype: str) -> str:
    return f"obscore:{utype}"


DATASET: Final = (
    standard(
        text(
            "dataproduct_type",
            "meta.code.class",
            "Kind of data: spectrum",
            _core("ObsDataset.dataProductType"),
        ),
        principal=True,
    ),
    standard(
        text(
            "dataproduct_subtype",
            "meta.code.class",
            "Kind of product: object (one exposure, one arm), combined (all exposures), spliced (both arms), spliced_combined",
            _core("ObsDataset.dataProductSubtype"),
        )
    ),
    standard(
        number(
            "calib_level",
            None,
            "meta.code;obs.calib",
            "Level of calibration: 2 for an exposure, 3 for what was combined of several",
            _core("ObsDataset.calibLevel"),
            "int",
        ),
        principal=True,
    ),
    standard(
        text("obs_collection", "meta.id", "Collection of data", _core("DataID.Collection")), principal=True
    ),
    standard(
        text(
            "obs_id",
            "meta.id",
            "Observation: night, field, plate, run and fibre; the same for both arms and what is spliced of them",
            _core("DataID.observationID"),
        ),
        principal=True,
    ),
    standard(
        text(
            "obs_publisher_did",
            "meta.ref.ivoid",
            "Identifier of the spectrum, the same for ever",
            _core("Curation.PublisherDID"),
        ),
        principal=True,
        indexed=True,
    ),
    standard(
        words(
            "obs_title",
            "meta.title;obs",
            "Target, night, field, arm and grating in one line",
            _core("DataID.Title"),
        )
    ),
    standard(
        time("obs_creation_date", "time;meta.dataset", "When the spectrum was reduced", _core("DataID.Date"))
    ),
    standard(text("obs_creator_name", "meta.id", "Who made the data", _core("DataID.Creator"))),
    standard(
        time(
            "obs_release_date",
            "time.release",
            "First day at which everybody may see it; none if it has none",
            _core("Curation.releaseDate"),
        )
    ),
    standard(
        text(
            "data_rights", "meta.code", "Who may see it today: public, proprietary", _core("Curation.Rights")
        )
    ),
    standard(
        text(
            "proposal_id",
            "meta.id;obs.proposal",
            "Proposal for which it was observed",
            _core("Provenance.Proposal.identifier"),
        )
    ),
)

ACCESS: Final = (
    standard(
        text(
            "access_url",
            "meta.ref.url",
            "Address of all that belongs to the spectrum (DataLink): its file, a picture, raw frames, calibrations",
            _core("Access.Reference"),
        ),
        principal=True,
    ),
    standard(
        text(
            "access_format", "meta.code.mime", "Media type of what is at access_url", _core("Access.Format")
        ),
        principal=True,
    ),
    standard(
        number(
            "access_estsize",
            "kbyte",
            "phys.size;meta.file",
            "Size of the spectrum as a FITS table, about",
            _core("Access.Size"),
            "long",
        ),
        principal=True,
    ),
)

WHERE: Final = (
    standard(
        words(
            "target_name", "meta.id;src", "Name of the target in the observers' list", _core("Target.Name")
        ),
        principal=True,
        indexed=True,
    ),
    standard(text("target_class", "src.class", "sky for fibres on empty sky", _core("Target.Class"))),
    standard(
        number(
            "s_ra",
            "deg",
            "pos.eq.ra",
            "Right ascension (ICRS) of the fibre's target",
            _core("Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C1"),
        ),
        principal=True,
        indexed=True,
    ),
    standard(
        number(
            "s_dec",
            "deg",
            "pos.eq.dec",
            "Declination (ICRS) of the fibre's target",
            _core("Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2.C2"),
        ),
        principal=True,
        indexed=True,
    ),
    standard(
        number(
            "s_fov",
            "deg",
            "phys.angSize;instr.fov",
            "Diameter of the fibre on the sky",
            _core("Char.SpatialAxis.Coverage.Bounds.Extent.diameter"),
        ),
        principal=True,
    ),
    standard(
        # The standard's type: text. Within a query it is a circle like any other.
        Column(
            "s_region",
            "char",
            "*",
            "adql:REGION",
            ucd="pos.outline;obs.field",
            utype=_core("Char.SpatialAxis.Coverage.Support.Area"),
            description="The fibre on the sky: a circle",
        ),
        principal=True,
        indexed=True,
    ),
    standard(
        number(
            "s_resolution",
            "arcsec",
            "pos.angResolution",
            "Spatial resolution: the diameter of the fibre",
            _core("Char.SpatialAxis.Resolution.Refval.value"),
        ),
        principal=True,
    ),
    standard(
        number(
            "s_xel1", None, "meta.number", "Elements in space", _core("Char.SpatialAxis.numBins1"), "long"
        ),
        principal=True,
    ),
    standard(
        number(
            "s_xel2", None, "meta.number", "Elements in space", _core("Char.SpatialAxis.numBins2"), "long"
        ),
        principal=True,
    ),
)

WHEN: Final = (
    standard(
        number(
            "t_min",
            "d",
            "time.start;obs.exposure",
            "Start of the first exposure (MJD, UTC)",
            _core("Char.TimeAxis.Coverage.Bounds.Limits.StartTime"),
        ),
        principal=True,
        indexed=True,
    ),
    standard(
        number(
            "t_max",
            "d",
            "time.end;obs.exposure",
            "End of the last exposure (MJD, UTC)",
            _core("Char.TimeAxis.Coverage.Bounds.Limits.StopTime"),
        ),
        principal=True,
    ),
    standard(
        number(
            "t_exptime",
            "s",
            "time.duration;obs.exposure",
            "Exposure time in all",
            _core("Char.TimeAxis.Coverage.Support.Extent"),
        ),
        principal=True,
    ),
    standard(
        number(
            "t_resolution",
            "s",
            "time.resolution",
            "Resolution in time: the exposure time",
            _core("Char.TimeAxis.Resolution.Refval.value"),
        ),
        principal=True,
    ),
    standard(
        number("t_xel", None, "meta.number", "Elements in time", _core("Char.TimeAxis.numBins"), "long"),
        principal=True,
    ),
)

LIGHT: Final = (
    standard(
        number(
            "em_min",
            "m",
            "em.wl;stat.min",
            "Shortest wavelength with a value, in vacuum",
            _core("Char.SpectralAxis.Coverage.Bounds.Limits.LoLimit"),
        ),
        principal=True,
        indexed=True,
    ),
    standard(
        number(
            "em_max",
            "m",
            "em.wl;stat.max",
            "Longest wavelength with a value, in vacuum",
            _core("Char.SpectralAxis.Coverage.Bounds.Limits.HiLimit"),
        ),
        principal=True,
    ),
    standard(
        number(
            "em_res_power",
            None,
            "spect.resolution",
            "Resolving power in the middle; none for spliced spectra, which have two",
            _core("Char.SpectralAxis.Resolution.ResolPower.refVal"),
        ),
        principal=True,
    ),
    standard(
        number(
            "em_xel",
            None,
            "meta.number",
            "Samples of the spectrum",
            _core("Char.SpectralAxis.numBins"),
            "long",
        ),
        principal=True,
    ),
    standard(text("em_ucd", "meta.ucd", "UCD of the spectral axis", _core("Char.SpectralAxis.ucd"))),
    standard(
        text(
            "em_calib_status",
            "meta.code.qual",
            "How the spectral axis is calibrated",
            _core("Char.SpectralAxis.calibrationStatus"),
        )
    ),
    standard(
        text("o_ucd", "meta.ucd", "UCD of what was measured", _core("Char.ObservableAxis.ucd")),
        principal=True,
    ),
    standard(
        text(
            "o_unit",
            "meta.unit",
            "Unit of what was measured, as the file has it",
            _core("Char.ObservableAxis.unit"),
        )
    ),
    standard(
        text(
            "o_calib_status",
            "meta.code.qual",
            "How what was measured is calibrated; none for counts",
            _core("Char.ObservableAxis.calibrationStatus"),
        )
    ),
    standard(
        text(
            "pol_states",
            "meta.code;phys.polarization",
            "States of polarisation: none",
            _core("Char.PolarizationAxis.stateList"),
        ),
        principal=True,
    ),
    standard(
        number(
            "pol_xel",
            None,
            "meta.number",
            "Elements in polarisation",
            _core("Char.PolarizationAxis.numBins"),
            "long",
        ),
        principal=True,
    ),
    standard(
        text("facility_name", "meta.id;instr.tel", "Telescope", _core("Provenance.ObsConfig.facility.name")),
        principal=True,
    ),
    standard(
        text("instrument_name", "meta.id;instr", "Instrument", _core("Provenance.ObsConfig.instrument.name")),
        principal=True,
    ),
)
