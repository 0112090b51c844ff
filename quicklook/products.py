"""Reduced frames on disk: the extensions that readers of 2dFdr products expect.

Layout (section names are extension names): PRIMARY data, VARIANCE, FIBRES, NDF_CLASS, REDUCTION_ARGS, then
whatever the step adds (SKY, THPUT, RWSS, WAVELA, SHIFTS, ...). Readers address the first three by number.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from quicklook.errors import InvalidInput
from quicklook.fibres import FibreTable, find_fibres
from quicklook.headers import passed_on, sound_table

_PRECISE = frozenset({"WAVELA", "SHIFTS", "TRACE", "PROFILE", "PROFROWS", "PROFCOLS", "WINGS", "WINGCERT"})
"""Extensions kept in float64 when they come so: a float32 nanometre is 0.001 pixel of a fine grating, and a
tramline map read back must be the map that was written."""

Extra: TypeAlias = NDArray[Any] | fits.BinTableHDU
"""An added extension: an array becomes an image, a table stays one."""


@dataclass(eq=False)
class Product:
    """One file that quicklook writes or reads back.

    Attributes
    ----------
    data : ndarray
        PRIMARY. Floating arrays are written as float32 except where ``keep_precision`` is set.
    header : fits.Header
        Primary header, without the cards that describe the array.
    variance : ndarray or None
        VARIANCE, same shape.
    fibres : FibreTable or None
        FIBRES, carried unchanged from the raw frame.
    ndf_class : str
        Class of the frame, such as ``MFOBJECT``; empty leaves the extension out.
    arguments : mapping of str to str
        REDUCTION_ARGS: parameter names and values used.
    extras : dict of str to (array or BinTableHDU)
        Further extensions by name, in order.
    extra_headers : dict of str to mapping
        Cards for further extensions, by extension name (for instance ``BUNIT``).
    history : list of str
        Lines to add as HISTORY; those read from a file stand in ``header``.
    keep_precision : bool
        Write float64 PRIMARY arrays as they are (tramline positions).
    path : Path or None
        Where the product was read from.
    """

    data: NDArray[np.floating]
    header: fits.Header
    variance: NDArray[np.floating] | None = None
    fibres: FibreTable | None = None
    ndf_class: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    extras: dict[str, Extra] = field(default_factory=dict)
    extra_headers: dict[str, Mapping[str, object]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    keep_precision: bool = False
    path: Path | None = None

    def image(self, name: str) -> NDArray[np.floating] | None:
        """The array of a further extension, or None when there is none of that name."""
        extra = self.extras.get(name.upper())
        return None if extra is None or isinstance(extra, fits.BinTableHDU) else np.asarray(extra)


def write_product(path: str | Path, product: Product) -> Path:
    """Write a product: under a temporary name, made durable, then renamed.

    Parameters
    ----------
    path : path
        Final name; an existing file is replaced in one step.
    product : Product

    Returns
    -------
    Path
        The final name.

    Raises
    ------
    OSError
        When the folder cannot be written.
    """
    path = Path(path)
    hdus = _hdus(product)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as stream:
            try:
                hdus.writeto(stream, output_verify="silentfix")
            except fits.VerifyError:
                # A table came with cards that FITS does not allow; to look at all of them always costs more.
                stream.seek(0)
                stream.truncate()
                sound = [sound_table(hdu) if isinstance(hdu, fits.BinTableHDU) else hdu for hdu in hdus]
                fits.HDUList(sound).writeto(stream, output_verify="silentfix")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
    return path


def read_product(path: str | Path, *, only: Collection[str] | None = None) -> Product:
    """Read a product back.

    Parameters
    ----------
    path : path
    only : collection of str, optional
        For a calibration: the extensions to read beside PRIMARY, such as VARIANCE or WAVELA. The fibre table and
        the arguments are left out then, and the header is as the file has it. Everything when absent.

    Raises
    ------
    InvalidInput
        When the file is missing, is not FITS, or has no image in its first HDU.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        data = hdus[0].data
        if data is None or not np.issubdtype(data.dtype, np.number):
            raise InvalidInput("the first HDU holds no image; this is not a reduced frame", path=path)
        result = Product(
            data=_native(data),
            header=passed_on(hdus[0].header) if only is None else hdus[0].header.copy(),
            fibres=find_fibres(hdus) if only is None else None,
            ndf_class=find_class(hdus),
            path=path,
        )
        for hdu in hdus[1:]:
            name = hdu.name.upper()
            if name in ("", "FIBRES", "FIBRES_IFU", "NDF_CLASS") or (only is not None and name not in only):
                continue
            if name == "REDUCTION_ARGS" and isinstance(hdu, fits.BinTableHDU):
                result.arguments = _read_arguments(hdu)
            elif name == "VARIANCE":
                result.variance = _native(hdu.data)
            elif isinstance(hdu, fits.BinTableHDU):
                result.extras[name] = hdu.copy()
            elif hdu.data is not None:
                result.extras[name] = _native(hdu.data)
                result.extra_headers[name] = {c.keyword: c.value for c in passed_on(hdu.header).cards}
    if result.variance is not None and result.variance.shape != result.data.shape:
        raise InvalidInput("VARIANCE and data differ in shape; reduce the frame again", path=path)
    return result


@dataclass(frozen=True)
class StoredImage:
    """A floating image in a file, of which bands of rows are read when they are wanted."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: str

    def __getitem__(self, rows: slice) -> NDArray[np.floating]:
        """Some rows, in the machine's byte order."""
        first, last, _ = rows.indices(self.shape[0])
        kind, width = np.dtype(self.dtype), self.shape[1]
        try:
            values = np.fromfile(self.path, kind, (last - first) * width, offset=self.offset + first * width * kind.itemsize)  # fmt: skip
        except OSError as error:
            raise InvalidInput(f"cannot be read ({error.strerror})", path=self.path) from error
        if values.size != (last - first) * width:
            raise InvalidInput("the file has become shorter while it was read; copy it again", path=self.path)
        return _native(values.reshape(-1, width))


@dataclass(frozen=True, eq=False)
class StoredProduct:
    """A reduced image whose pixels are still in the file.

    Attributes
    ----------
    path : Path
    header : fits.Header
    data, variance : StoredImage or ndarray; variance may be None
        Arrays where the file has its numbers in another form than floating images have.
    has_fibres : bool
    ndf_class : str
    """

    path: Path
    header: fits.Header
    data: StoredImage | NDArray[np.floating]
    variance: StoredImage | NDArray[np.floating] | None
    has_fibres: bool
    ndf_class: str


def find_product(path: str | Path) -> StoredProduct:
    """Look at a reduced image without reading its pixels.

    Raises
    ------
    InvalidInput
        When the file is missing, is not FITS, or has no image in its first HDU.
    """
    path = Path(path)
    with open_fits(path) as hdus:
        names = [hdu.name.upper() for hdu in hdus]
        data = _stored(hdus[0], path)
        if data is None:
            raise InvalidInput("the first HDU holds no image; this is not a reduced frame", path=path)
        variance = _stored(hdus[names.index("VARIANCE")], path) if "VARIANCE" in names else None
        result = StoredProduct(
            path, passed_on(hdus[0].header), data, variance, find_fibres(hdus) is not None, find_class(hdus)
        )
    if variance is not None and variance.shape != data.shape:
        raise InvalidInput("VARIANCE and data differ in shape; reduce the frame again", path=path)
    return result


def _stored(hdu: Any, path: Path) -> StoredImage | NDArray[np.floating] | None:
    """Where an HDU's image lies in its file; the image itself when it is not simply floating; None without one."""
    header = hdu.header
    plain = {"BSCALE": 1, "BZERO": 0}
    if (
        isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU)
        and header.get("BITPIX") in (-32, -64)
        and header.get("NAXIS") == 2
        and all(header.get(key, value) == value for key, value in plain.items())
    ):
        kind = ">f4" if header["BITPIX"] == -32 else ">f8"
        return StoredImage(path, int(hdu.fileinfo()["datLoc"]), (header["NAXIS2"], header["NAXIS1"]), kind)
    return None if hdu.data is None or not np.issubdtype(hdu.data.dtype, np.number) else _native(hdu.data)


@contextlib.contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading; every fault of the file becomes `InvalidInput`.

    Scaled integers are read as they are (no conversion to float).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # astropy leaves a file open that it cannot read; what is opened here is closed here.
            with (
                path.open("rb") as stream,
                fits.open(stream, memmap=False, uint=True, ignore_missing_simple=False) as hdus,
            ):
                len(hdus)  # walks the whole file, so that truncation shows here
                yield hdus
    except InvalidInput as error:
        raise error if error.path is not None else type(error)(error.message, path=path) from error
    except FileNotFoundError:
        raise InvalidInput("there is no such file", path=path) from None
    except PermissionError:
        raise InvalidInput(
            "the file may not be read by this user; check its permissions", path=path
        ) from None
    except IsADirectoryError:
        raise InvalidInput("this is a folder, not a frame", path=path) from None
    except (OSError, ValueError, TypeError, KeyError, IndexError, fits.VerifyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InvalidInput(
            f"cannot be read as FITS ({reason}); it may be incomplete: copy it again", path=path
        ) from error


def find_class(hdus: fits.HDUList) -> str:
    """Class of a frame: the NDF_CLASS extension, else keyword NDFCLASS; upper case, '' when absent."""
    for hdu in hdus[1:]:
        if isinstance(hdu, fits.BinTableHDU) and hdu.name.upper().rsplit(".", 1)[-1] == "NDF_CLASS":
            try:
                value = hdu.data["NAME"][0] if "NAME" in hdu.columns.names else hdu.data[0][0]
            except (IndexError, ValueError, TypeError):
                continue
            name = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if name.strip():
                return name.strip().upper()
    value = passed_on(hdus[0].header).get("NDFCLASS", "")
    return str(value).strip().upper()


def _hdus(product: Product) -> fits.HDUList:
    header = passed_on(product.header)
    for line in product.history:
        header.add_history(_ascii(line))
    if product.ndf_class:
        header["NDFCLASS"] = (product.ndf_class, "class of frame")
    hdus = fits.HDUList([fits.PrimaryHDU(_storable(product.data, keep=product.keep_precision), header)])
    if product.variance is not None:
        hdus.append(fits.ImageHDU(_storable(product.variance, keep=False), name="VARIANCE"))
    if product.fibres is not None:
        table = product.fibres.hdu.copy()
        table.name = "FIBRES"
        hdus.append(table)
    if product.ndf_class:
        label = np.array([product.ndf_class.encode("ascii", "replace")])
        hdus.append(
            fits.BinTableHDU.from_columns([fits.Column("NAME", "16A", array=label)], name="NDF_CLASS")
        )
    if product.arguments:
        hdus.append(_arguments_hdu(product.arguments))
    for title, extra in product.extras.items():
        if isinstance(extra, fits.BinTableHDU):
            table = extra.copy()
            table.name = title
            hdus.append(table)
            continue
        hdu = fits.ImageHDU(_storable(extra, keep=title.upper() in _PRECISE), name=title)
        for key, value in product.extra_headers.get(title, {}).items():
            hdu.header[key] = value
        hdus.append(hdu)
    return hdus


def _arguments_hdu(arguments: Mapping[str, str]) -> fits.BinTableHDU:
    names = [_ascii(str(k)) for k in arguments]
    values = [_ascii(str(v)) for v in arguments.values()]

    def column(title: str, items: list[str]) -> fits.Column:
        return fits.Column(title, f"{max(1, *map(len, items))}A", array=np.array(items))

    return fits.BinTableHDU.from_columns(
        [column("ARG_NAME", names), column("ARG_VALUE", values)], name="REDUCTION_ARGS"
    )


def _read_arguments(hdu: fits.BinTableHDU) -> dict[str, str]:
    try:
        names, values = (hdu.data.field(0), hdu.data.field(1))
        return {str(n).strip(): str(v).strip() for n, v in zip(names, values, strict=True)}
    except (IndexError, ValueError, TypeError):
        return {}


def _storable(array: NDArray[np.generic], *, keep: bool) -> NDArray[np.generic]:
    if array.dtype == np.float64 and not keep:
        return array.astype(np.float32)
    return array.astype(np.uint8) if array.dtype == np.bool_ else array


def _native(array: NDArray[np.generic]) -> NDArray[np.floating]:
    """An array that was just read, in the machine's byte order; swapped where it lies if that is possible."""
    if array.dtype.isnative or not (array.flags.writeable and array.flags.c_contiguous):
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    return np.asarray(array.byteswap(inplace=True).view(array.dtype.newbyteorder("=")))


def _ascii(line: str) -> str:
    return line.encode("ascii", "replace").decode("ascii")
