"""``paws-aaorun``: quicklook spoken to as 2dFdr's ``aaorun`` is."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO

from quicklook.command import Command, parse
from quicklook.errors import InvalidInput, QuicklookError
from quicklook.threads import keep_to_one_thread

SUCCESS, FAILED, REFUSED = 0, 1, 2


def main() -> int:
    """Console script."""
    keep_to_one_thread()
    try:
        return run(sys.argv[1:], cwd=Path.cwd(), stdout=sys.stdout)
    except BrokenPipeError:
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return FAILED


def run(argv: Sequence[str], *, cwd: Path, stdout: TextIO) -> int:
    """Carry out one command.

    Nothing depends on the process's own working folder and nothing is left behind but the products, so a
    warm process may serve one command after another.

    Parameters
    ----------
    argv : sequence of str
        Verb, files and parameters, without the program's name.
    cwd : Path
        Folder to which relative names refer and into which products are written.
    stdout : text stream
        Receives the log.

    Returns
    -------
    int
        0 when the reduction succeeded, 1 when it failed, 2 when the command or its input was refused.
    """
    from quicklook.verbs import INFORMATIVE, REDUCTIONS

    try:
        command = parse(argv, cwd.resolve())
    except InvalidInput as error:
        stdout.write(f"Error: {error}\n")
        return REFUSED
    if command.verb in INFORMATIVE:
        try:
            INFORMATIVE[command.verb](command, stdout)
        except InvalidInput as error:
            stdout.write(f"Error: {error}\n")
            return REFUSED
        return SUCCESS
    action = REDUCTIONS.get(command.verb)
    if action is None:
        known = ", ".join([*REDUCTIONS, *INFORMATIVE])
        stdout.write(f"Error: {command.verb[:40]} is not a command; the commands are {known}\n")
        return REFUSED
    return _carry_out(command, action, stdout)


def _carry_out(command: Command, action: Callable[..., None], stdout: TextIO) -> int:
    """Run a reduction with the log that scrapers of aaorun's output expect."""
    from numpy import errstate

    from quicklook.work import Work

    number = f"{os.getpid() % 100000:05d}"
    process, task = f"AAO{number}", f"CMD{number}"
    verb = command.verb.upper()
    files = " ".join(command.words)
    stdout.write(f"AAO Run Process {process}:\n")
    stdout.write(f"Executing 2DFdr Command: {verb} on file {files}\n")
    idx = command.settings.given.get("IDXFILE") or "default"
    stdout.write(f"Configuring for {idx}\n")

    def say(line: str) -> None:
        stdout.write(f"{process}:{task}: {line}\n")
        stdout.flush()

    for note in command.notes:
        say(f"Warning: {note}")
    work = Work(command, say)
    try:
        # Damaged frames hold numbers that no electron made. They end as inf or NaN, which every step passes
        # over as bad pixels; a warning for each would say less than the count of them in the product.
        with errstate(all="ignore"):
            action(work)
    except InvalidInput as error:
        say(f"Error: {error}")
        return REFUSED
    except QuicklookError as error:
        say(f"Error: {error}")
        return FAILED
    except OSError as error:
        say(f"Error: {error.strerror or error}: {error.filename or 'a file'}; check space and permissions")
        return FAILED
    except MemoryError:
        say("Error: not enough memory for a full-size frame (about 1 GB is needed)")
        return FAILED
    except Exception as error:
        # Whatever a damaged frame provokes must end as a message; the place is named for a report.
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = " ".join(str(error).split())[:200]
        say(
            f"Error: internal fault in {Path(place.filename).name} line {place.lineno} "
            f"({type(error).__name__}: {what}); please report it with the frame"
        )
        return FAILED
    say(f'Action "{verb}", Task "{task}", completed.')
    stdout.write(f'{process}: Action "EXIT", Task "{task}", completed.\n')
    stdout.write(f"Exiting AAO Run Process {process}\n")
    stdout.flush()
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
