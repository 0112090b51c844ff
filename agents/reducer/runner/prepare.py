"""From a reduction to a work folder with its files and the command to run in it. Knows no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from agents.reducer.commands import WorkFiles, command_line, plain_names
from agents.reducer.provenance import InputFile
from agents.reducer.runner.workfolder import (
    InputNotRegisteredError,
    ManifestEntry,
    make_work_folder,
    plain_name,
)
from schemas.reductions import ProductInput, Reduction, input_keys


@dataclass(frozen=True)
class InputProduct:
    """A product that a reduction reads, as it is registered.

    Attributes
    ----------
    stored_path
        In the data folder, relative.
    made_name
        Name that the engine gave it, where it is stored under another one.
    """

    product: ProductInput
    stored_path: str
    checksum: str
    size_bytes: int
    level: int | None
    provisional: bool
    made_name: str = ""

    @property
    def name(self) -> str:
        """Name under which the next command reads it."""
        return self.made_name or PurePosixPath(self.stored_path).name


@dataclass(frozen=True)
class Prepared:
    """A work folder with its files, and the command to run in it."""

    folder: Path
    files: WorkFiles
    inputs: tuple[InputFile, ...]
    command: tuple[str, ...]


def prepare(
    reduction: Reduction, found: Sequence[InputProduct], data_dir: Path, folder: Path, owner: str
) -> Prepared:
    """Make a work folder with everything that a reduction reads.

    Parameters
    ----------
    found
        Products that it reads, in any order.
    data_dir
        Folder to which their paths are relative.
    folder
        To be made.
    owner
        Who works there; see `agents.reducer.runner.identity`.

    Raises
    ------
    InputNotRegisteredError
        If the database does not know a product.
    InputGoneError
        If a file is missing.
    InvalidInputError
        If the reduction cannot be carried out, or a raw frame has changed.
    """
    products = _in_order(reduction, found)
    names = plain_names(
        [plain_name(frame.name) for frame in reduction.frames] + [item.name for item in products]
    )
    split = len(reduction.frames)
    name_of = {item.product: name for item, name in zip(products, names[split:], strict=True)}
    role_of = {choice.product: choice.role for choice in reduction.calibrations}
    manifest = [
        ManifestEntry(name, Path(frame.path), frame.checksum, verify=True)
        for frame, name in zip(reduction.frames, names[:split], strict=True)
    ] + [
        ManifestEntry(name_of[item.product], data_dir / item.stored_path, item.checksum, verify=False)
        for item in products
    ]
    files = WorkFiles(
        frames=tuple(names[:split]),
        inputs=tuple(name_of[item] for item in reduction.inputs),
        calibrations={role: name_of[product] for product, role in role_of.items()},
    )
    command = command_line(reduction, files)
    make_work_folder(folder, owner, manifest)
    inputs = [
        InputFile(name, frame.checksum, frame.frame_id, "raw")
        for frame, name in zip(reduction.frames, names[:split], strict=True)
    ] + [
        InputFile(
            name_of[item.product],
            item.checksum,
            item.product.job_key,
            role_of[item.product].value if item.product in role_of else "input",
        )
        for item in products
    ]
    return Prepared(folder, files, tuple(inputs), tuple(command))


def _in_order(reduction: Reduction, found: Sequence[InputProduct]) -> list[InputProduct]:
    by_product = {item.product: item for item in found}
    wanted = input_keys(reduction)
    missing = [item for item in wanted if item not in by_product]
    if missing:
        what = ", ".join(f"{item.kind.value} of {item.job_key[:16]}" for item in missing)
        raise InputNotRegisteredError(
            f"Products that are needed are not registered: {what}. Reprocess what makes them."
        )
    return [by_product[item] for item in wanted]
