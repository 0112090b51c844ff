"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for everything that PAWS Live keeps (PAWS_DATA_DIR).",
)
