"""An ``aaorun`` that takes no time: it writes small, whole products made of nothing but its inputs' content.

For nights in which processes are killed by the hundred, where a real reduction would be waited for most of
the time. It reads every file that the command names, writes what the command asks for, and behaves as the
real one does: the same marker at the end, progress on standard output, and no file in one step. The same
inputs give the same product, to the bit.

Run as a program (``python -I -S light_aaorun.py VERB FILES [-PARAMETER VALUE ...]``); it imports the standard
library only.
"""

from __future__ import annotations

import hashlib
import os
import random
import struct
import sys
import time
from collections.abc import Iterator

BLOCK = 2880
FIBRES, PIXELS = 8, 64
PAUSE_S = 0.15
"""Pause in the middle of writing, so that a kill finds half a product."""

COMBINES = {"combine_image": "COMBINEDFILE", "combine_spectra": "COMBINEDFILE", "splice": "output_file"}
IMAGES = ("reduce_bias", "reduce_dark", "reduce_lflat", "combine_image")


def content(path: str) -> bytes:
    """Digest of a file without its first header, which tells when and how the file was made."""
    digest = hashlib.blake2b()
    with open(path, "rb") as stream:  # noqa: PTH123 - fast start: no pathlib
        while block := stream.read(BLOCK):
            if any(block[at : at + 8] == b"END     " for at in range(0, BLOCK, 80)):
                break
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.digest()


def card(keyword: str, value: bool | int | float | str) -> bytes:
    """A header card."""
    if isinstance(value, bool):
        shown = f"{'T' if value else 'F':>20}"
    elif isinstance(value, str):
        quoted = f"'{value:<8}'"
        shown = f"{quoted:<20}"
    else:
        shown = f"{value!r:>20}"
    return f"{keyword:<8}= {shown}".ljust(80).encode("ascii")


def padded(data: bytes, filler: bytes) -> bytes:
    """Data up to the end of a block."""
    return data + filler * (-len(data) % BLOCK)


def header(cards: list[bytes]) -> bytes:
    """A header with its end."""
    return padded(b"".join([*cards, b"END".ljust(80)]), b" ")


def image(first: bytes, rows: int, columns: int, values: list[float], extra: list[bytes]) -> bytes:
    """An HDU with a two-dimensional image of 32-bit floats."""
    cards = [first, card("BITPIX", -32), card("NAXIS", 2), card("NAXIS1", columns), card("NAXIS2", rows)]
    if first.startswith(b"XTENSION"):
        cards += [card("PCOUNT", 0), card("GCOUNT", 1)]
    return header([*cards, *extra]) + padded(struct.pack(f">{rows * columns}f", *values), b"\0")


def fibres(source: random.Random) -> bytes:
    """The table of fibres: name, type and position (radians, as in raw frames)."""
    rows = b"".join(
        struct.pack(">20s1sddh", f"T{number:04d}".encode(), b"P", source.uniform(0, 6.28), -0.5, number + 1)
        for number in range(FIBRES)
    )
    width = len(rows) // FIBRES
    columns = [("NAME", "20A"), ("TYPE", "1A"), ("RA", "1D"), ("DEC", "1D"), ("PIVOT", "1I")]
    described = [
        part
        for number, (name, form) in enumerate(columns, start=1)
        for part in (card(f"TTYPE{number}", name), card(f"TFORM{number}", form))
    ]
    cards = [card("XTENSION", "BINTABLE"), card("BITPIX", 8), card("NAXIS", 2), card("NAXIS1", width)]
    cards += [card("NAXIS2", FIBRES), card("PCOUNT", 0), card("GCOUNT", 1), card("TFIELDS", len(columns))]
    return header([*cards, *described, card("EXTNAME", "FIBRES")]) + padded(rows, b"\0")


def pieces(verb: str, seed: bytes) -> Iterator[bytes]:
    """The product, piece by piece."""
    source = random.Random(seed)  # noqa: S311 - the same inputs give the same product
    count = FIBRES * PIXELS
    spectral = [card("CRVAL1", 5700.0), card("CRPIX1", 1.0), card("CDELT1", 1.5), card("EXPOSED", 900.0)]
    first = [*spectral, card("NDFCLASS", "MFOBJECT")]
    yield image(card("SIMPLE", True), FIBRES, PIXELS, [source.gauss(900, 30) for _ in range(count)], first)
    if verb == "make_tlm":
        return
    variance = [source.uniform(800, 1000) for _ in range(count)]
    yield image(card("XTENSION", "IMAGE"), FIBRES, PIXELS, variance, [card("EXTNAME", "VARIANCE")])
    if verb not in IMAGES:
        yield fibres(source)


def main(arguments: list[str]) -> int:
    """Carry out a command; the exit status."""
    if arguments[:1] in ([], ["help"]):
        print("light aaorun: reduces nothing, quickly")
        return 0
    verb, subjects, options = arguments[0], arguments[1].split(), arguments[2:]
    given = dict(zip(options[::2], options[1::2], strict=False))
    print(f"Executing 2DFdr Command {verb}", flush=True)
    named = [*subjects, *(value for name, value in given.items() if name.endswith("_FILENAME"))]
    digest = hashlib.blake2b(verb.encode())
    for name in named:
        digest.update(content(name))
    if verb in COMBINES:
        target = given[f"-{COMBINES[verb]}"]
    else:
        stem = subjects[0].rpartition(".")[0]
        target = f"{stem}{'tlm' if verb == 'make_tlm' else 'red'}.fits"
    with open(target, "wb", buffering=0) as stream:  # noqa: PTH123 - fast start: no pathlib
        for number, piece in enumerate(pieces(verb, digest.digest())):
            if number:
                print("Extracting spectra", flush=True)
            # In two halves, with time to die between them.
            stream.write(piece[: len(piece) // 2])
            time.sleep(PAUSE_S if number == 0 else 0.0)
            stream.write(piece[len(piece) // 2 :])
    print(f'Action "EXIT", Task "DRCONTROL", completed ({os.getpid()})', flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, KeyError, IndexError) as error:
        print(f"Error: {error}", flush=True)
        sys.exit(1)
