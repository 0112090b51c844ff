"""``paws explore``: look at products that are in no archive."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import rich_click as click


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port of the page.  [default: a free one]"
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser of this machine.")
def explore(files: tuple[Path, ...], port: int, open_browser: bool) -> None:
    """Explore spectra in FILES: products of 2dFdr or of quicklook, or folders of them.

    Nothing is registered or changed, and no database is needed. The page is served to this machine only, until
    Ctrl-C.
    """
    from paws.errors import InvalidInputError
    from paws.settings import load_settings
    from web.explorer.app import loopback, serve
    from web.explorer.files import FileShelf, gather

    settings = loopback(load_settings(), port)
    taken, refused = gather(files)
    for one in refused[:20]:
        click.echo(f"left out: {one.file}: {one.reason}", err=True)
    if len(refused) > 20:
        click.echo(f"left out: {len(refused) - 20} more", err=True)
    if not taken:
        raise InvalidInputError(
            "None of these holds spectra of fibres. Name reduced frames, such as OBJ0011red.fits."
        )
    shelf = FileShelf(taken)

    def ready(url: str) -> None:
        only = shelf.products[0].product_id if len(taken) == 1 else ""
        address = f"{url}?product={only}" if only else url
        click.echo(f"{len(taken)} product{'s' if len(taken) > 1 else ''}: {address}  (Ctrl-C stops)")
        if open_browser:
            webbrowser.open(address)

    serve(settings, shelf, ready)
