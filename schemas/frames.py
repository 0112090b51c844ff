"""A raw frame as the rest of the system knows it: facts from its header, none from its history."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.vocabulary import Arm, FrameClass

Night = Annotated[str, StringConstraints(pattern=r"^\d{8}$")]
"""Night of observation, ``YYYYMMDD``: the civil date at the site at the start of the night."""

Checksum = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""BLAKE3 of the whole file, hexadecimal."""

RAW_NAME = re.compile(r"^(?P<day>\d{2})(?P<month>[a-z]{3})(?P<ccd>[12])(?P<run>\d{4})\.fits$")
"""Name of a raw AAOmega frame: day, month, CCD digit, run number."""


class Model(BaseModel):
    """Base of every contract: immutable, and nothing unknown passes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DetectorKey(NamedTuple):
    """What a bias, dark or long-slit flat must share with a frame."""

    ccd: int
    detector: str
    window: str
    speed: str
    readamp: str


class CameraKey(NamedTuple):
    """What every spectroscopic calibration must share with a frame: the camera set-up."""

    ccd: int
    grating: str
    central_wavelength: int
    dichroic: str
    window: str
    speed: str


class FibreKey(NamedTuple):
    """The fibre set-up: which plate, configured by which file."""

    plate: int
    configuration: str


class ExposureLevel(Model):
    """How well a frame is exposed, measured on a sample of its data pixels at arrival."""

    median: float = Field(description="Median above the overscan level, ADU")
    bright: float = Field(description="98th percentile above the overscan level, ADU: where the fibres are")
    saturated_fraction: float = Field(
        ge=0, le=1, description="Part of the sampled pixels at or above 0.99 x 65535"
    )


class Frame(Model):
    """A complete, accepted raw frame.

    The identifier is derived from night, name and content, so that a rescan of the raw folder finds
    the same frame again and a file with the same name and other content is another frame.
    """

    frame_id: str = Field(max_length=120)
    night: Night
    name: str = Field(max_length=80)
    path: str
    checksum: Checksum
    size_bytes: int = Field(gt=0)
    completed_at: datetime = Field(description="When the file was complete on disk (UTC)")

    frame_class: FrameClass
    arm: Arm
    run: int = Field(ge=0, le=9999)
    header_night: str | None = Field(
        default=None, description="Night that the header claims, kept for comparison"
    )

    instrument: str
    object_name: str = ""
    proposal: str = ""
    lamp: str = ""
    exposed: float = Field(ge=0, description="Exposure time, s")
    utmjd: float = Field(description="Start of the exposure, modified Julian date (UTC)")

    detector: str = ""
    window: str = ""
    speed: str = ""
    readamp: str = ""
    grating: str = ""
    central_wavelength: int = Field(
        default=0, ge=0, description="Requested central wavelength, Angstrom, rounded"
    )
    dichroic: str = ""

    plate: int | None = Field(default=None, ge=0, le=1)
    configuration: str = Field(default="", description="CFG_FILE: the fibre configuration")
    field: str = Field(
        default="", description="Field label: the configuration name without its night, version and plate"
    )

    ra: float | None = Field(default=None, description="MEANRA, degrees")
    dec: float | None = Field(default=None, description="MEANDEC, degrees")
    airmass: float | None = Field(default=None, ge=1, le=40)
    exposure: ExposureLevel | None = None

    @property
    def stem(self) -> str:
        """File name without its extension, as 2dFdr builds product names on it."""
        return self.name.removesuffix(".fits")

    @property
    def detector_key(self) -> DetectorKey:
        """Key that bias, dark and long-slit flat must share."""
        return DetectorKey(self.arm.ccd, self.detector, self.window, self.speed, self.readamp)

    @property
    def camera_key(self) -> CameraKey:
        """Key that tramline map, arc and fibre flat must share."""
        return CameraKey(
            self.arm.ccd, self.grating, self.central_wavelength, self.dichroic, self.window, self.speed
        )

    @property
    def fibre_key(self) -> FibreKey | None:
        """Fibre set-up, or None for frames that are not taken through the fibres."""
        if self.plate is None:
            return None
        return FibreKey(self.plate, self.configuration)


def frame_id(night: str, name: str, checksum: str) -> str:
    """Identifier of a frame: readable, and the same whenever the same file is seen."""
    return f"{night}-{name.removesuffix('.fits')}-{checksum[:12]}"


_CONFIGURATION_TAIL = re.compile(r"(_\d{6})?(_r\d+)?(_p[01])?(\.sds)?$", re.IGNORECASE)


def field_label(configuration: str) -> str:
    """Field label in a configuration file name.

    ``FLD195_v03_151217_r02_p1.sds`` is ``FLD195_v03``. What could not stand in a path becomes ``_``.
    """
    label = _CONFIGURATION_TAIL.sub("", configuration.strip())
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", label).strip("._")[:60] or "unknown"
