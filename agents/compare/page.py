"""The comparison as one HTML page that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'">
<title>Comparison of two reductions</title>
<style>{style}</style>
</head>
<body>
<noscript>This page draws its plots with JavaScript. The same figures are in compare.json.</noscript>
<script type="application/json" id="data">{data}</script>
<script>{script}</script>
</body>
</html>
"""


def page_of(document: dict[str, Any]) -> str:
    """Page for a report, as `agents.compare.report.Report.as_dict` gives it.

    Names in it come from headers and file names: they stand in a JSON block in which no tag can begin, and the
    script puts them into the page as text. The page may run this script only.
    """
    style, script = _asset("page.css"), _asset("page.js")
    data = json.dumps(document, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        data = data.replace(char, f"\\u{ord(char):04x}")
    return _PAGE.format(
        style=style, script=script, data=data, style_hash=_hash(style), script_hash=_hash(script)
    )


def _asset(name: str) -> str:
    return (resources.files("agents.compare") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
