"""``paws user``: accounts from the command line of the machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import rich_click as click

from paws.commands.people import account_of, run_on_database

if TYPE_CHECKING:
    from paws.database import Connection

_stdin = click.option(
    "--password-stdin", is_flag=True, help="Take the password from standard input: its first line."
)


@click.group()
def user() -> None:
    """Accounts: make, list, disable, set passwords. Acts on the database of PAWS_DATABASE_URL.

    Passwords are asked for on the terminal, or read from standard input; never given as an argument, where
    others on the machine could read them.
    """


@user.command()
@click.argument("name")
@click.option("--email", default="", help="Where mails go; without one the person cannot reset the password.")
@click.option("--full-name", default="", help="What people call them.")
@click.option("--administrator", is_flag=True, help="Sees everything and manages accounts.")
@click.option("--no-password", is_flag=True, help="Leave the password to a reset mail or to OpenID Connect.")
@_stdin
def add(
    name: str, email: str, full_name: str, administrator: bool, no_password: bool, password_stdin: bool
) -> None:
    """Make an account."""
    from paws.accounts import people
    from paws.accounts.audit import COMMAND_LINE

    name = people.check_name(name)
    password = None if no_password else _ask_password(name, email, password_stdin)

    async def work(connection: Connection) -> None:
        hashed = None if password is None else await _hash(password)
        await people.add(
            connection,
            COMMAND_LINE,
            name,
            email=email,
            full_name=full_name,
            administrator=administrator,
            password_hash=hashed,
        )

    run_on_database(work)
    click.echo(f"{name} has an account{' and is an administrator' if administrator else ''}")


@user.command()
@click.argument("name")
@_stdin
def passwd(name: str, password_stdin: bool) -> None:
    """Set the password of an account, which ends its sessions."""
    from paws.accounts import people
    from paws.accounts.audit import COMMAND_LINE

    password = _ask_password(name, "", password_stdin)

    async def work(connection: Connection) -> None:
        account = await account_of(connection, name)
        await people.set_password(connection, COMMAND_LINE, account, await _hash(password))

    run_on_database(work)
    click.echo(f"{name} has a new password; open sessions have ended")


@user.command()
@click.argument("name")
@click.option("--enable", is_flag=True, help="Let the account in again.")
def disable(name: str, enable: bool) -> None:
    """Shut an account out at once: sessions, tokens and share links. Nothing is deleted."""
    from paws.accounts import people
    from paws.accounts.audit import COMMAND_LINE

    async def work(connection: Connection) -> None:
        account = await account_of(connection, name)
        await people.set_disabled(connection, COMMAND_LINE, account, not enable)

    run_on_database(work)
    click.echo(f"{name} is {'enabled' if enable else 'disabled'}")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_users(as_json: bool) -> None:
    """List all accounts with their proposals."""
    from paws.accounts import people

    found = run_on_database(people.everyone)
    if as_json:
        import orjson

        items = [
            {
                "name": account.name,
                "full_name": account.full_name,
                "email": account.email,
                "administrator": account.administrator,
                "disabled": account.disabled_at is not None,
                "proposals": proposals,
                "signed_in_at": account.signed_in_at,
            }
            for account, proposals in found
        ]
        click.echo(orjson.dumps(items, option=orjson.OPT_INDENT_2).decode())
        return
    for account, proposals in found:
        marks = [
            *(["administrator"] if account.administrator else []),
            *(["disabled"] if account.disabled_at else []),
            *proposals,
        ]
        click.echo(f"{account.name:<20} {account.email:<30} {', '.join(marks)}")


async def _hash(password: str) -> str:
    from paws.accounts.passwords import Passwords

    return await Passwords().hash(password)


def _ask_password(name: str, email: str, from_stdin: bool) -> str:
    from paws.accounts.passwords import check_strength
    from paws.errors import ConfigurationError

    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        raise ConfigurationError("There is no terminal to ask for the password; use --password-stdin.")
    check_strength(password, name, email)
    return str(password)
