"""JSON: the columns' metadata, then the rows as arrays, in the layout that TAP services of ESA and CDS share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson

from web.vo.formats.cells import Notation, Texts, Values, texts_of
from web.vo.formats.encoder import Encoder
from web.vo.formats.values import Described
from web.vo.formats.xml import Ending

_FACTS: Final = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")


def _quoted(texts: Texts) -> Texts:
    try:
        return [orjson.dumps(text).decode() for text in texts]
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return [orjson.dumps(text.encode(errors="replace").decode()).decode() for text in texts]


def _metadata(column: Described) -> dict[str, Any]:
    return {fact: value for fact in _FACTS if (value := getattr(column, fact))}


class Json(Encoder):
    """``{"metadata": [...], "data": [[...], ...], "status": "OK"}``.

    NULL, NaN and infinities are null: JSON knows none of the latter. The status comes last, where it is known: OK,
    OVERFLOW, or ERROR with a message.
    """

    tells_errors = True
    _notation = Notation(
        "null", "null", "null", "null", _quoted, null_text="null", array=("[", ",", "]"), pads=False
    )

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._separator = "\n["

    def head(self) -> bytes:
        """Metadata."""
        about: dict[str, Any] = dict(self.info.facts)
        if self.info.query is not None:
            about["QUERY"] = self.info.query
        opening = orjson.dumps({"info": about, "metadata": [_metadata(column) for column in self.columns]})
        return opening[:-1] + b',\n"data":['

    def rows(self, columns: Sequence[Values]) -> bytes:
        """Some rows."""
        texts = [
            texts_of(values, shape, self._notation)
            for values, shape in zip(columns, self.shapes, strict=True)
        ]
        data = self._separator + "],\n[".join(map(",".join, zip(*texts, strict=True))) + "]"
        self._separator = ",\n["
        return data.encode()

    def tail(self, ending: Ending) -> Iterator[bytes]:
        """How it ended."""
        status: dict[str, Any] = {"status": "OVERFLOW" if ending.overflow else "OK"}
        if ending.error is not None:
            status = {"status": "ERROR", "message": ending.error}
        yield b"\n],\n" + orjson.dumps(status)[1:] + b"\n"
