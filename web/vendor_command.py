"""``paws vendor``: bring the libraries of others that the pages use."""

from __future__ import annotations

from pathlib import Path

import rich_click as click


@click.command()
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with the archives, for machines without a network.",
)
@click.option("--optional", is_flag=True, help="Say so and succeed when they cannot be fetched.")
@click.option("--list", "list_only", is_flag=True, help="Only tell what is needed and what is installed.")
def vendor(source: Path | None, optional: bool, list_only: bool) -> None:
    """Install plotly and Aladin Lite for the pages, through npm, each checked against its checksum.

    Everything else works without them; a page that lacks one says so.
    """
    from paws.settings import load_settings
    from web.vendor import (
        Vendor,
        VendorAwayError,
        from_folder,
        from_npm,
        install,
        read_manifest,
        vendor_dir,
    )

    libraries = read_manifest()
    folder = vendor_dir(load_settings())
    if list_only:
        missing = Vendor(folder, libraries).missing()
        for library in libraries:
            state = "missing" if library in missing else "installed"
            click.echo(
                f"{library.name:<8} {library.version:<8} {library.licence:<8} {state:<10} {library.archive}"
            )
        return
    try:
        install(folder, libraries, from_folder(source) if source else from_npm, click.echo)
    except VendorAwayError as error:
        if not optional:
            raise
        click.echo(f"not installed: {error.message} Pages work without, and say what they lack.", err=True)
