"""Reference page of the commands, made from the commands themselves."""

from __future__ import annotations

import re

import rich_click as click


def reference_page() -> str:
    """Reference page of every ``paws`` command with its arguments and options, in Markdown."""
    from paws.cli import SECTIONS, paws

    context = click.Context(paws, info_name="paws")
    lines = [
        "# Commands",
        "",
        "`paws COMMAND --help` says the same. `paws-aaorun` has [a page of its own](aaorun.md).",
    ]
    for section, names in SECTIONS.items():
        lines += ["", f"## {section}"]
        for name in names:
            command = paws.get_command(context, name)
            if command is not None:
                lines += _command(name, command)
    return "\n".join(lines) + "\n"


def _command(name: str, command: click.Command) -> list[str]:
    if isinstance(command, click.Group):
        parts = [
            part for sub, item in sorted(command.commands.items()) for part in _command(f"{name} {sub}", item)
        ]
        return [*_page(name, command), *parts]
    return _page(name, command)


def _page(name: str, command: click.Command) -> list[str]:
    arguments = [item for item in command.params if isinstance(item, click.Argument)]
    usage = " ".join(["paws", name, *(item.make_metavar(click.Context(command)) for item in arguments)])
    text = [re.sub(r"\[/?\w*\]", "", line.strip()) for line in (command.help or "").strip().splitlines()]
    lines = ["", f"### `{usage}`", "", *text, ""]
    options = [item for item in command.params if isinstance(item, click.Option) and not item.hidden]
    if options:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [
            f"| `{_spelling(item)}` | {(item.help or '').replace('|', chr(92) + '|')}{_default(item)} |"
            for item in options
        ]
    return lines


def _spelling(option: click.Option) -> str:
    flags = ", ".join([*option.opts, *option.secondary_opts])
    return flags if option.is_flag else f"{flags} {(option.metavar or option.name or '').upper()}"


def _default(option: click.Option) -> str:
    return f" (default: {option.default})" if option.show_default and option.default is not None else ""
