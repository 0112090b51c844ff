"""Which frames of the index may serve some frames: by class, set-up and date, the closest in time first. Pure.

The rules of matching need whole frames; an archive has far too many of them. So the narrow index is looked through
here, with everything kept that the rules could choose, and only what is kept is read whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from schemas.vocabulary import FrameClass

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: Final = (
    "frame_id",
    "night",
    "run",
    "arm",
    "frame_class",
    "plate",
    "grating",
    "central_wavelength",
    "utmjd",
    "completed_at",
    "junked",
    "replaced",
)
"""Of the index. The last says that another file of the frame's run and arm is newer; it is told of other nights only."""
NIGHTS_KEPT: Final = 40
"""Nights with candidates of a class that are kept, the nearest. A run has fewer; a library may have hundreds."""
_SCIENCE: Final = [one.value for one in FrameClass if one.is_science]
_DETECTOR: Final = [one.value for one in FrameClass if not one.needs_fibres]
_SET_UP: Final = ["arm", "grating", "central_wavelength"]


def frame_index(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of the index as a table."""
    import pandas as pd  # takes long to load, and most of what the web server does needs it not

    return pd.DataFrame([tuple(row[name] for name in COLUMNS) for row in rows], columns=list(COLUMNS))


def of_the_night(index: pd.DataFrame, night: str, wanted: Collection[str]) -> list[str]:
    """Frames of a night to be read: those wanted, all calibrations, and whatever has the run of one of these.

    Of two files of one run the newer counts, whatever its class; so both are needed.
    """
    import pandas as pd

    tonight = index[index["night"] == night]
    needed = tonight["frame_id"].isin(list(wanted)) | ~tonight["frame_class"].isin(_SCIENCE)
    places = pd.MultiIndex.from_frame(tonight[["arm", "run"]])
    return list(tonight.loc[places.isin(places[needed]), "frame_id"])


def abroad(
    index: pd.DataFrame, night: str, wanted: Collection[str], classes: Collection[FrameClass]
) -> list[str]:
    """Calibrations of other nights that may serve the frames that are wanted, the closest in time first.

    Parameters
    ----------
    classes
        For which of them the night itself has nothing near enough.
    """
    import pandas as pd

    asked = index[index["frame_id"].isin(list(wanted))]
    others = index[
        (index["night"] != night)
        & index["frame_class"].isin([one.value for one in classes])
        & ~index["junked"]
        & ~index["replaced"]
    ]
    if asked.empty or others.empty:
        return []
    detector = others["frame_class"].isin(_DETECTOR)
    # Biases of a later night serve none of these frames, but the flats of that night, which may serve them.
    serves = detector & others["arm"].isin(asked["arm"])
    fibres = pd.MultiIndex.from_frame(others[["plate", *_SET_UP]].astype(str))
    serves |= ~detector & fibres.isin(pd.MultiIndex.from_frame(asked[["plate", *_SET_UP]].astype(str)))
    found = others[serves].assign(apart=lambda table: (table["utmjd"] - asked["utmjd"].mean()).abs())
    distance = found.groupby(["frame_class", "arm", "night"])["apart"].transform("min")
    place = distance.groupby([found["frame_class"], found["arm"]]).rank(method="dense")
    near = found[place <= NIGHTS_KEPT].sort_values(["apart", "frame_id"])
    return list(near["frame_id"])
