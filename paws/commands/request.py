"""``paws request``: ask for reductions from the command line, of a whole observing run if need be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import rich_click as click

from paws.commands.options import data_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paws.commands.request_client import RequestClient

_FAILED = 1
_LATE = 3

url_option = click.option(
    "--url",
    metavar="URL",
    help="Address of the pages (PAWS_WEB_URL, else that of the system in the data folder).",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def _wait_options(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--deadline",
        type=click.FloatRange(1, 30 * 86400),
        default=86400.0,
        show_default=True,
        metavar="SECONDS",
        help="Longest wait for the end; the request goes on without us.",
    )(command)


@click.group()
def request() -> None:
    """Ask for reductions, and follow them. Speaks to the web server, with the token of PAWS_TOKEN.

    A token is made on one's account page, with the scope [bold]write[/]. Where access is open none is needed.
    """


@request.command()
@click.argument("frames", nargs=-1)
@click.option(
    "--night", "nights", multiple=True, metavar="YYYYMMDD", help="All science of a night. May be repeated."
)
@click.option("--from", "first_night", metavar="YYYYMMDD", help="First night of a run.")
@click.option("--to", "last_night", metavar="YYYYMMDD", help="Last night of a run.")
@click.option("--field", "fields", multiple=True, metavar="NAME", help="Only this field. May be repeated.")
@click.option(
    "--class", "classes", multiple=True, metavar="CLASS", help="Frame class; MFOBJECT and MFFLX by default."
)
@click.option("--arm", "arms", multiple=True, type=click.Choice(["blue", "red"]), help="Only this arm.")
@click.option("--engine", default="", metavar="NAME", help="What reduces; the usual engine by default.")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A parameter, by 2dFdr's name. May be repeated.",
)
@click.option("--without", multiple=True, metavar="WORD", help="Leave out bias, dark, lflat or thput.")
@click.option("--no-combine", is_flag=True, help="Do not combine the exposures of a field.")
@click.option("--no-splice", is_flag=True, help="Do not join the arms.")
@click.option(
    "--max-level", type=click.IntRange(0, 4), default=3, show_default=True, help="Worst calibration level."
)
@click.option("--title", default="", help="For yourself.")
@click.option("--mail", is_flag=True, help="Mail its start and its end to your account's address.")
@click.option("--webhook", default="", metavar="URL", help="Address that is told of its start and its end.")
@click.option("--wait", is_flag=True, help="Follow it to its end, with a progress bar.")
@_wait_options
@url_option
@data_option
@json_option
def submit(
    frames: tuple[str, ...],
    nights: tuple[str, ...],
    first_night: str | None,
    last_night: str | None,
    fields: tuple[str, ...],
    classes: tuple[str, ...],
    arms: tuple[str, ...],
    engine: str,
    parameters: tuple[str, ...],
    without: tuple[str, ...],
    no_combine: bool,
    no_splice: bool,
    max_level: int,
    title: str,
    mail: bool,
    webhook: str,
    wait: bool,
    deadline: float,
    url: str | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Submit a request: of FRAMES by their identifiers, or of what the options choose.

    With --wait it ends with status 0 when all is done, 1 when something failed, 3 when the deadline came first.
    """
    from paws.commands.request_client import selection

    sent: dict[str, Any] = {
        "engine": engine,
        "parameters": _parameters(parameters),
        "without": list(without),
        "combine": not no_combine,
        "splice": not no_splice,
        "max_level": max_level,
        "title": title,
        "mail": mail,
        "webhook": webhook,
    }
    chosen = selection(nights, first_night, last_night, fields, classes, arms)
    if bool(frames) == bool(chosen):
        raise click.UsageError(
            "Name frames, or choose them with --night, --from and --to or --field; not both."
        )
    sent |= {"frames": list(frames)} if frames else {"select": chosen}
    with _client(url, data) as client:
        made = client.submit(sent)
        if not as_json:
            click.echo(
                f"request {made['request_id']}: {made['frames']} frames; {client.page(made['request_id'])}"
            )
        if wait:
            made = _follow(client, made["request_id"], deadline, quiet=as_json)
        if as_json:
            click.echo(json.dumps(made))
    if wait:
        _end(made, quiet=as_json)


@request.command("list")
@click.option("--state", help="Only in this state, such as Running.")
@click.option("--mine", is_flag=True, help="Only one's own.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Most requests.")
@url_option
@data_option
@json_option
def list_requests(
    state: str | None, mine: bool, limit: int, url: str | None, data: Path | None, as_json: bool
) -> None:
    """List requests, the newest first."""
    with _client(url, data) as client:
        found = client.requests(state, mine, limit)
    if as_json:
        click.echo(json.dumps(found))
        return
    for item in found["items"]:
        failed = f", {item['parts_failed']} failed" if item["parts_failed"] else ""
        click.echo(
            f"{item['request_id']}  {item['state']:<11} {item['parts_done']:>5}/{item['parts']:<5} {item['frames']:>5} frames"
            f"  {item['submitted_at'][:16]}  {item['who']}  {item['title']}{failed}"
        )


@request.command()
@click.argument("request_id")
@url_option
@data_option
@json_option
def show(request_id: str, url: str | None, data: Path | None, as_json: bool) -> None:
    """Show how far a request is, and what failed."""
    with _client(url, data) as client:
        found = client.request(request_id)
        page = client.page(request_id)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"{found['state']}: {found['reason']}")
    click.echo(f"{found['parts_done']} of {found['parts']} reductions done; {page}")
    if found["waiting"]:
        click.echo(found["waiting"])
    _failures(found)


@request.command()
@click.argument("request_id")
@_wait_options
@url_option
@data_option
@json_option
def wait(request_id: str, deadline: float, url: str | None, data: Path | None, as_json: bool) -> None:
    """Follow a request to its end, with a progress bar."""
    with _client(url, data) as client:
        found = _follow(client, request_id, deadline, quiet=as_json)
    if as_json:
        click.echo(json.dumps(found))
    _end(found, quiet=as_json)


@request.command()
@click.argument("request_id")
@url_option
@data_option
def cancel(request_id: str, url: str | None, data: Path | None) -> None:
    """Cancel a request. What runs is left to end."""
    with _client(url, data) as client:
        client.order(request_id, "cancel")
    click.echo(f"{request_id} is being cancelled.")


@request.command()
@click.argument("request_id")
@url_option
@data_option
def retry(request_id: str, url: str | None, data: Path | None) -> None:
    """Try again what failed of a request, or what was cancelled."""
    with _client(url, data) as client:
        client.order(request_id, "retry")
    click.echo(f"What failed of {request_id} is tried again.")


def _client(url: str | None, data: Path | None) -> RequestClient:
    from paws.commands.request_client import RequestClient, address_of
    from paws.settings import load_settings

    settings = load_settings(data_dir=data)
    return RequestClient(address_of(url, settings), settings.token.get_secret_value())


def _parameters(texts: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"A parameter is given as NAME=VALUE, not {text!r}.")
        values[name] = value
    return values


def _follow(client: RequestClient, request_id: str, deadline: float, *, quiet: bool) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True, quiet=quiet)) as progress:
        bar = progress.add_task("Initialised", total=None)
        found: dict[str, Any] = {}
        for found in client.follow(request_id, deadline):
            progress.update(
                bar,
                description=found["state"],
                total=found["parts"] or None,
                completed=found["parts_done"] + found["parts_failed"],
            )
    return found


def _end(found: dict[str, Any], *, quiet: bool) -> None:
    from paws.commands.request_client import has_ended

    if not quiet:
        click.echo(f"{found['state']}: {found['reason']}")
        _failures(found)
    if not has_ended(found):
        if not quiet:
            click.echo("The deadline came first; the request goes on.", err=True)
        raise SystemExit(_LATE)
    if found["state"] != "Finished" or found["parts_failed"]:
        raise SystemExit(_FAILED)


def _failures(found: dict[str, Any]) -> None:
    for part in found["part_list"]:
        if part["state"] == "failed":
            why = (part["reason"] or "the log tells why").splitlines()[0]
            click.echo(f"failed {part['kind']} of {part['label']}: {why}")
    for item in found["missing"]:
        click.echo(f"not made {item['label']}: {item['reason']}")
