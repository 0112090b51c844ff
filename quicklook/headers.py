"""Read single values from hostile headers, and carry headers from raw frames to products."""

from __future__ import annotations

import math
import warnings

from astropy.io import fits

from quicklook.errors import InvalidInput

_STRUCTURAL = frozenset(
    {"SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "EXTEND", "XTENSION", "PCOUNT", "GCOUNT"}
    | {"EXTNAME", "EXTVER", "CHECKSUM", "DATASUM", "BSCALE", "BZERO", "AVGVALUE", "BLANK", "INHERIT"}
)


def number(
    header: fits.Header,
    key: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    default: float | None = None,
) -> float:
    """A finite number from a header.

    Parameters
    ----------
    header : fits.Header
    key : str
    low, high : float
        Accepted range, ends included.
    default : float, optional
        Used when the keyword is absent; without it absence is an error.

    Raises
    ------
    InvalidInput
        When the keyword is missing without default, is not a number, not finite or out of range.
    """
    value = card_value(header, key)
    if value is None:
        if default is not None:
            return default
        raise InvalidInput(f"keyword {key} is missing from the header; quicklook cannot do without it")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidInput(f"keyword {key} is {value!r} where a number belongs")
    try:
        result = float(value)
    except ValueError:
        raise InvalidInput(f"keyword {key} is {value!r} where a number belongs") from None
    if not math.isfinite(result):
        raise InvalidInput(f"keyword {key} is {result} where a finite number belongs")
    if not low <= result <= high:
        raise InvalidInput(f"keyword {key} = {result:g} is outside the possible range {low:g} to {high:g}")
    return result


def text(header: fits.Header, key: str, default: str | None = None) -> str:
    """A stripped string from a header.

    Raises
    ------
    InvalidInput
        When the keyword is missing and there is no default.
    """
    value = card_value(header, key)
    if value is None:
        if default is not None:
            return default
        raise InvalidInput(f"keyword {key} is missing from the header; quicklook cannot do without it")
    return str(value).strip()


def card_value(header: fits.Header, key: str) -> object | None:
    """Value of a card; None when it is absent, undefined or cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = header.get(key)
    except Exception:  # a damaged card raises VerifyError, ValueError or worse: it carries no value
        return None
    if value is None or isinstance(value, fits.card.Undefined):
        return None
    return value  # type: ignore[no-any-return]  # astropy's cards are untyped


def passed_on(header: fits.Header) -> fits.Header:
    """Copy of a header with all that describes the exposure and nothing that describes the array.

    Cards that cannot be parsed are kept as comments, so that nothing the telescope wrote is lost and the
    product still verifies.
    """
    result = fits.Header()
    for card in header.cards:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                keyword = card.keyword
                if keyword in _STRUCTURAL:
                    continue
                value, comment = card.value, card.comment
                if isinstance(value, float) and not math.isfinite(value):
                    raise ValueError("not representable in FITS")
                candidate = fits.Card(keyword, value, comment)
                candidate.verify("exception")
                str(candidate)
                result.append(candidate, end=True)
            except Exception:
                result.append(("COMMENT", "unparsable card: " + _printable(str(card.image))[:55]), end=True)
    return result


def sound_table(hdu: fits.BinTableHDU) -> fits.BinTableHDU:
    """Copy of a table without the header cards that FITS does not allow, so that it can be written again."""
    result = hdu.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(len(result.header) - 1, -1, -1):
            try:
                card = result.header.cards[i]
                card.verify("exception")
                str(card)
            except Exception:  # as many kinds as there are ways to spoil a card
                del result.header[i]
    return result


def _printable(value: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in value).rstrip()
