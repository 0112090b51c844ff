"""Reference page of the parameters, made from their table."""

from __future__ import annotations

from schemas.parameters import GROUPS, PARAMETERS, VERSION, Parameter, in_words


def reference_page() -> str:
    """Reference page of everything that a request may set, in Markdown."""
    lines = [
        "# Parameters of a reduction",
        "",
        f"Version {VERSION} of the table. Names and choices are 2dFdr's; defaults are those of the built-in reducer. "
        "A value that equals the default of all gratings of a request is not kept, so the same wish is the same work. "
        "A parameter changes only the reductions it concerns; what others made is reused. "
        "`GET /api/parameters` tells the same to programs.",
    ]
    for group in GROUPS:
        lines += [
            "",
            f"## {group}",
            "",
            "| parameter | values | default | meaning | concerns |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(item) for item in PARAMETERS if item.group == group]
    return "\n".join(lines) + "\n"


def _row(item: Parameter) -> str:
    meaning = item.meaning.replace("|", "\\|")
    return f"| `{item.name}` | {_values(item)} | {_default(item)} | {meaning} | {_concerns(item)} |"


def _values(item: Parameter) -> str:
    if item.kind == "logical":
        return "yes, no"
    if item.kind == "choice":
        own = {choice: f"{choice} (built-in only)" for choice in item.own_choices}
        return ", ".join(own.get(choice, choice) for choice in item.choices)
    number = "whole number" if item.kind == "integer" else "number"
    return f"{number}, {item.low:g} to {item.high:g}{f' {item.unit}' if item.unit else ''}"


def _default(item: Parameter) -> str:
    different = "; ".join(f"{in_words(value)} for {grating}" for grating, value in item.by_grating)
    return in_words(item.default) + (f"; {different}" if different else "")


def _concerns(item: Parameter) -> str:
    return ", ".join(sorted(kind.value.replace("_", " ") for kind in item.concerns))
