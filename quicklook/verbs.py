"""The commands of ``paws-aaorun``: which there are, and what they say about themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from quicklook.command import Command
from quicklook.detector import combine_image, reduce_bias, reduce_dark, reduce_lflat
from quicklook.errors import InvalidInput, QuicklookError
from quicklook.headers import card_value
from quicklook.joining import combine_spectra, splice
from quicklook.lamps import make_ex, make_im, make_tlm, reduce_arc, reduce_fflat
from quicklook.parameters import BY_NAME, help_text
from quicklook.products import find_class, open_fits
from quicklook.science import reduce_object, reduce_sky
from quicklook.work import Work

REDUCTIONS: Mapping[str, Callable[[Work], None]] = {
    "reduce_bias": reduce_bias,
    "reduce_dark": reduce_dark,
    "reduce_lflat": reduce_lflat,
    "combine_image": combine_image,
    "make_im": make_im,
    "make_tlm": make_tlm,
    "make_ex": make_ex,
    "reduce_arc": reduce_arc,
    "reduce_fflat": reduce_fflat,
    "reduce_sky": reduce_sky,
    "reduce_object": reduce_object,
    "combine_spectra": combine_spectra,
    "splice": splice,
}

USED: Mapping[str, str] = {
    "reduce_bias": "",
    "reduce_dark": "USEBIASIM BIAS_FILENAME",
    "reduce_lflat": "USEBIASIM BIAS_FILENAME USEDARKIM DARK_FILENAME",
    "combine_image": "COMBINEDFILE",
    "make_im": "USEBIASIM BIAS_FILENAME USEDARKIM DARK_FILENAME USEFLATIM LFLAT_FILENAME",
    "make_tlm": "USEBIASIM BIAS_FILENAME TLMAP_FILENAME",
    "make_ex": "TLMAP_FILENAME EXTR_OPERATION SCATSUB MSR_TLM_CREEP COSRAY_MTHD",
    "reduce_arc": "TLMAP_FILENAME ARCFITORDER ARCMAXSHIFT WAVE_START WAVE_END",
    "reduce_fflat": "TLMAP_FILENAME WAVEL_FILENAME DO_TLMAP DO_EXTRA DO_REDFL BSSMOOTH",
    "reduce_sky": "TLMAP_FILENAME WAVEL_FILENAME FFLAT_FILENAME",
    "reduce_object": "TLMAP_FILENAME WAVEL_FILENAME FFLAT_FILENAME THPUT_FILENAME SKYSCRUNCH THRUPUT TPMETH SKYSUB "
    "SKYCOMBINE PCASKY PCANUM INC_RWSS VELCOR",
    "combine_spectra": "COMBINEDFILE FLUXWT CSIGREJ COMBNAME",
    "splice": "OUTPUT_FILE",
}
"""The parameters that matter most to each verb."""

EXAMPLES = (
    "reduce_bias 12mar10001.fits",
    'combine_image "12mar10001red.fits 12mar10002red.fits" -COMBINEDFILE BIAScombined.fits',
    "make_tlm 12mar10004.fits -BIAS_FILENAME BIAScombined.fits",
    "reduce_arc 12mar10006.fits -TLMAP_FILENAME 12mar10004tlm.fits -BIAS_FILENAME BIAScombined.fits",
    "reduce_fflat 12mar10004.fits -TLMAP_FILENAME 12mar10004tlm.fits -DO_TLMAP 0 -WAVEL_FILENAME 12mar10006red.fits",
    "reduce_object 12mar10007.fits -TLMAP_FILENAME 12mar10004tlm.fits -WAVEL_FILENAME 12mar10006red.fits "
    "-FFLAT_FILENAME 12mar10004red.fits",
    'combine_spectra "12mar10007red.fits 12mar10008red.fits" -COMBINEDFILE combined_blue.fits',
    'splice "combined_blue.fits combined_red.fits" -OUTPUT_FILE spliced.fits',
)


def show_help(command: Command, stdout: TextIO) -> None:
    """List the commands; 'help VERB' describes one, 'help PARAMS' lists all parameters."""
    topic = command.words[0].lower() if command.words else ""
    if topic in ("params", "parameters"):
        stdout.write(help_text() + "\n")
    elif topic in REDUCTIONS:
        _describe(topic, stdout)
    elif topic:
        raise InvalidInput(f"there is no help on {topic[:40]}; try help, help PARAMS or help reduce_object")
    else:
        stdout.write("paws-aaorun VERB FILE... [-idxfile FILE] [-PARAM value ...]\n\n")
        for name, summary in summaries().items():
            stdout.write(f"  {name:<16} {summary}\n")
        stdout.write("\n'paws-aaorun help VERB' says more, 'help PARAMS' lists the parameters.\n")
        stdout.write("Exit status: 0 done, 1 the reduction failed, 2 the command or its input was refused.\n")


def show_examples(command: Command, stdout: TextIO) -> None:
    """Show a typical sequence of commands."""
    for example in EXAMPLES:
        stdout.write(f"paws-aaorun {example}\n")


def list_frames(command: Command, stdout: TextIO) -> None:
    """List and classify the raw frames of the working folder."""
    names = [command.path(w) for w in command.words] or sorted(command.folder.glob("*.fits"))
    rows: list[tuple[str, str, str]] = []
    for path in names:
        try:
            rows.append(_classified(path))
        except QuicklookError as error:
            rows.append((path.name, "UNKNOWN", error.message[:60]))
    prefixes = Counter(name[:6] for name, kind, _ in rows if kind != "UNKNOWN")
    prefix = prefixes.most_common(1)[0][0] if prefixes else "none"
    stdout.write(f"Directory {command.folder}: {prefix} ({len(rows)} files)\n")
    for name, kind, extra in rows:
        stdout.write(f"{name} {kind} ({extra})\n")


def _classified(path: Path) -> tuple[str, str, str]:
    with open_fits(path) as hdus:
        kind = find_class(hdus) or "UNKNOWN"
        header = hdus[0].header
        key = "LAMPNAME" if kind == "MFARC" else "EXPOSED" if kind == "DARK" else "OBJECT"
        extra = "".join(c for c in str(card_value(header, key) or "") if c.isprintable()).strip()
    return path.name, kind, extra


def summaries() -> dict[str, str]:
    """All commands with the first line of their description."""
    actions: list[tuple[str, object]] = [*REDUCTIONS.items(), *INFORMATIVE.items()]
    return {name: (action.__doc__ or "").strip().splitlines()[0] for name, action in actions}


def _describe(verb: str, stdout: TextIO) -> None:
    stdout.write(f"paws-aaorun {verb} FILE... [-PARAM value ...]\n\n{summaries()[verb]}\n\n")
    for name in USED[verb].split():
        stdout.write(f"  -{name:<15} {BY_NAME[name].meaning}\n")
    stdout.write("\n" + "".join(f"Example: paws-aaorun {e}\n" for e in EXAMPLES if e.startswith(verb + " ")))


INFORMATIVE: Mapping[str, Callable[[Command, TextIO], None]] = {
    "list": list_frames,
    "help": show_help,
    "examples": show_examples,
}
