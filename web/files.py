"""The only way from a database row to a file: what is stored outside the data folder is refused."""

from __future__ import annotations

import re
from pathlib import Path

from paws.errors import PermanentError
from paws.settings import Settings


class OutsideError(PermanentError):
    """A path in the database leads out of the data folder. Nothing is read there."""

    code = "outside_data_folder"


def inside(settings: Settings, stored: str) -> Path:
    """File that a database row names, as a path that certainly lies in the data folder.

    Parameters
    ----------
    stored
        Relative to the data folder, or absolute.

    Raises
    ------
    OutsideError
        If the path, with links followed, lies elsewhere.
    """
    root = settings.data_dir.resolve()
    path = (root / stored).resolve()
    if not path.is_relative_to(root):
        raise OutsideError("The database names a file outside the data folder; it is not served.")
    return path


def download_name(night: str, path: str) -> str:
    """Name of a downloaded product: its place in the tree, flattened, in characters that every system takes."""
    flat = re.sub(r"[^A-Za-z0-9.+-]+", "_", path.replace("/", "-")).strip("._-")[-160:]
    return flat if night in flat else f"{night}-{flat}"
