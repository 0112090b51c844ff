"""The words that every room shares: frame classes, arms, states, roles, levels, priorities.

The values are what stands in events and in the database, so a change of a value is a change of contract.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Arm(StrEnum):
    """Arm of the AAOmega spectrograph."""

    BLUE = "blue"
    RED = "red"

    @property
    def ccd(self) -> int:
        """CCD digit of the raw file name: 1 is blue, 2 is red."""
        return 1 if self is Arm.BLUE else 2

    @classmethod
    def of_ccd(cls, ccd: int) -> Arm:
        """Arm that a CCD digit stands for.

        Raises
        ------
        ValueError
            If the digit is neither 1 nor 2.
        """
        if ccd not in (1, 2):
            raise ValueError(f"expected CCD 1 (blue) or 2 (red), got {ccd}")
        return cls.BLUE if ccd == 1 else cls.RED


class FrameClass(StrEnum):
    """Class of a raw frame: the values of 2dFdr's NDFCLASS."""

    BIAS = "BIAS"
    DARK = "DARK"
    LFLAT = "LFLAT"
    MFFFF = "MFFFF"
    MFARC = "MFARC"
    MFSKY = "MFSKY"
    MFOBJECT = "MFOBJECT"
    MFFLX = "MFFLX"

    @property
    def needs_fibres(self) -> bool:
        """Whether frames of this class are taken through the fibres and carry a fibre table."""
        return self not in (FrameClass.BIAS, FrameClass.DARK, FrameClass.LFLAT)

    @property
    def is_science(self) -> bool:
        """Whether the frame is what observers came for."""
        return self in (FrameClass.MFOBJECT, FrameClass.MFFLX)


_SYNONYMS = {"DFLAT": FrameClass.LFLAT, "SFLAT": FrameClass.MFSKY}
_BY_OBSTYPE = {
    "OBJECT": FrameClass.MFOBJECT,
    "RUN": FrameClass.MFOBJECT,
    "ARC": FrameClass.MFARC,
    "FLAT": FrameClass.MFFFF,
    "BIAS": FrameClass.BIAS,
    "DARK": FrameClass.DARK,
    "SKY": FrameClass.MFSKY,
    "DFLAT": FrameClass.LFLAT,
    "LFLAT": FrameClass.LFLAT,
}


def frame_class(
    ndfclass: str | None, obstype: str | None = None, runcmd: str | None = None
) -> FrameClass | None:
    """Class of a frame from its header words.

    NDFCLASS decides; OBSTYPE, then RUNCMD serve where it is missing, because what RUNCMD holds
    has changed over the years.

    Returns
    -------
    FrameClass or None
        None when no word is known.
    """
    words = [str(word or "").strip().upper() for word in (ndfclass, obstype, runcmd)]
    if words[0] in FrameClass.__members__:
        return FrameClass[words[0]]
    if words[0] in _SYNONYMS:
        return _SYNONYMS[words[0]]
    for word in words[1:]:
        if word in FrameClass.__members__:
            return FrameClass[word]
        if word in _BY_OBSTYPE:
            return _BY_OBSTYPE[word]
    return None


class FrameState(StrEnum):
    """What became of a raw frame, as the live page shows it."""

    ARRIVED = "arrived"
    WAITING = "waiting"
    QUEUED = "queued"
    RUNNING = "running"
    REDUCED = "reduced"
    SET_ASIDE = "set_aside"
    FAILED = "failed"
    REJECTED = "rejected"
    JUNKED = "junked"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen unless something new arrives."""
        return self in (
            FrameState.REDUCED,
            FrameState.SET_ASIDE,
            FrameState.FAILED,
            FrameState.REJECTED,
            FrameState.JUNKED,
        )


class ReductionKind(StrEnum):
    """Kinds of reduction: each is one ``aaorun`` verb."""

    REDUCE_BIAS = "reduce_bias"
    REDUCE_DARK = "reduce_dark"
    REDUCE_LFLAT = "reduce_lflat"
    COMBINE_IMAGE = "combine_image"
    MAKE_TLM = "make_tlm"
    REDUCE_ARC = "reduce_arc"
    REDUCE_FFLAT = "reduce_fflat"
    REDUCE_SKY = "reduce_sky"
    REDUCE_OBJECT = "reduce_object"
    COMBINE_SPECTRA = "combine_spectra"
    SPLICE = "splice"


class ReductionState(StrEnum):
    """States of a reduction job."""

    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether the job will not change by itself any more."""
        return self in (ReductionState.SUCCEEDED, ReductionState.FAILED, ReductionState.CANCELLED)


class CalibrationRole(StrEnum):
    """What a calibration product serves as in a reduction."""

    BIAS = "bias"
    DARK = "dark"
    LFLAT = "lflat"
    TLM = "tlm"
    ARC = "arc"
    FFLAT = "fflat"
    THPUT = "thput"

    @property
    def meaning(self) -> str:
        """What people call it."""
        return {
            CalibrationRole.LFLAT: "long-slit flat",
            CalibrationRole.TLM: "tramline map",
            CalibrationRole.FFLAT: "fibre flat",
            CalibrationRole.THPUT: "throughput",
        }.get(self, self.value)

    @property
    def mandatory(self) -> bool:
        """Whether a reduction that wants this role waits for it. Optional roles never block."""
        return self in (CalibrationRole.TLM, CalibrationRole.ARC, CalibrationRole.FFLAT)


class CalibrationLevel(IntEnum):
    """How near a calibration is to the frame it serves: the lower, the better."""

    SAME_FIELD = 0
    SAME_PLATE = 1
    ADJACENT_NIGHT = 2
    SAME_RUN = 3
    LIBRARY = 4

    @property
    def label(self) -> str:
        """Short name, such as ``L0``."""
        return f"L{int(self)}"

    @property
    def meaning(self) -> str:
        """A sentence part for people."""
        return (
            "same field configuration, plate and night",
            "same plate and night",
            "same set-up, adjacent night",
            "same set-up within the run",
            "from the library",
        )[int(self)]


class Priority(IntEnum):
    """Order in which queued reductions are taken: the higher first."""

    LIVE_CALIBRATION = 110
    LIVE = 100
    REDO = 60
    FINAL = 40
    ON_DEMAND = 20
    SPARE = 5


class ProductKind(StrEnum):
    """Kinds of product file."""

    BIAS = "bias"
    DARK = "dark"
    LFLAT = "lflat"
    COMBINED_BIAS = "combined_bias"
    COMBINED_DARK = "combined_dark"
    COMBINED_LFLAT = "combined_lflat"
    TLM = "tlm"
    ARC = "arc"
    FFLAT = "fflat"
    SKY = "sky"
    OBJECT = "object"
    COMBINED = "combined"
    SPLICED = "spliced"
    SPLICED_COMBINED = "spliced_combined"

    @property
    def meaning(self) -> str:
        """What people call it."""
        return {
            ProductKind.LFLAT: "long-slit flat",
            ProductKind.COMBINED_LFLAT: "combined long-slit flat",
            ProductKind.TLM: "tramline map",
            ProductKind.FFLAT: "fibre flat",
        }.get(self, self.value.replace("_", " "))

    @property
    def is_image(self) -> bool:
        """Whether the product is an image of the whole chip, without fibres."""
        return self in (
            ProductKind.BIAS,
            ProductKind.DARK,
            ProductKind.LFLAT,
            ProductKind.COMBINED_BIAS,
            ProductKind.COMBINED_DARK,
            ProductKind.COMBINED_LFLAT,
        )

    @property
    def has_spectra(self) -> bool:
        """Whether the product holds final spectra of targets."""
        return self in (
            ProductKind.OBJECT,
            ProductKind.COMBINED,
            ProductKind.SPLICED,
            ProductKind.SPLICED_COMBINED,
        )


class Outcome(StrEnum):
    """The four things that may be done after a piece of work went wrong, and success."""

    SUCCESS = "success"
    RETRIABLE = "retriable"
    PERMANENT = "permanent"
    INVALID_INPUT = "invalid_input"
    NOT_OURS = "not_ours"


class RequestState(StrEnum):
    """States of an on-demand request, in the words that PAWS users know."""

    INITIALISED = "Initialised"
    QUEUED = "Queued"
    RUNNING = "Running"
    FINISHED = "Finished"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
