"""``paws pdf``: print the spectra of a product."""

from __future__ import annotations

from pathlib import Path

import rich_click as click


@click.command()
@click.argument("product", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; by default PRODUCT with .pdf at its end, in the working folder.",
)
def pdf(product: Path, out: Path | None) -> None:
    """Print every spectrum of PRODUCT, a reduced frame of 2dFdr or PAWS Live, into a PDF.

    The first page sums up the quality; the others have six spectra each, with name, position, type, magnitude and
    signal to noise of the target, and marks at the lines of the night sky. Text can be searched.
    """
    from web.pdf.make import make_pdf

    target = out or Path(f"{product.stem}.pdf")
    if not target.parent.is_dir():
        raise click.BadParameter(f"there is no folder {target.parent}", param_hint="--out")
    printed = make_pdf(product, target)
    click.echo(
        f"{target}: {printed.spectra} spectra on {printed.pages} pages, {printed.size_bytes / 1e6:.1f} MB"
    )
