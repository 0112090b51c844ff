"""``paws group``: proposals, their members and proprietary periods, from the command line of the machine."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import rich_click as click

from paws.commands.people import account_of, run_on_database

if TYPE_CHECKING:
    from paws.database import Connection


@click.group()
def group() -> None:
    """Groups: one a proposal, named as AAOPRGID in the headers. Acts on the database of PAWS_DATABASE_URL."""


@group.command()
@click.argument("proposal")
@click.option("--title", default="", help="What the proposal is about.")
def add(proposal: str, title: str) -> None:
    """Make a group."""
    from paws.accounts import groups
    from paws.accounts.audit import COMMAND_LINE

    async def work(connection: Connection) -> str:
        return await groups.add(connection, COMMAND_LINE, proposal, title)

    click.echo(f"{run_on_database(work)} is a group")


@group.command()
@click.argument("proposal")
@click.argument("name")
@click.option("--leader", is_flag=True, help="May share with collaborators, and sees who is a member.")
@click.option("--remove", is_flag=True, help="Take the person out of the group.")
def member(proposal: str, name: str, leader: bool, remove: bool) -> None:
    """Make somebody a member of a proposal, or no longer one."""
    from paws.accounts import groups
    from paws.accounts.audit import COMMAND_LINE

    async def work(connection: Connection) -> None:
        account = await account_of(connection, name)
        if remove:
            await groups.drop_member(connection, COMMAND_LINE, proposal, account)
        else:
            await groups.put_member(
                connection, COMMAND_LINE, proposal, account, "leader" if leader else "member"
            )

    run_on_database(work)
    click.echo(
        f"{name} is {'no longer in' if remove else 'a leader of' if leader else 'a member of'} {proposal}"
    )


@group.command()
@click.argument("proposal")
@click.argument("months")
@click.option(
    "--from",
    "observed_from",
    type=click.DateTime(["%Y-%m-%d"]),
    help="For what is observed from this date (UTC) on; default: always.",
)
def period(proposal: str, months: str, observed_from: datetime | None) -> None:
    """Set how many MONTHS after the observation data of a proposal become public; 'never' is for ever.

    'usual' takes back what was set for the same date.
    """
    from paws.accounts import groups
    from paws.accounts.audit import COMMAND_LINE
    from paws.accounts.people import AccountError

    start = observed_from.date() if observed_from else date.min
    if months not in ("never", "usual") and not months.isdigit():
        raise AccountError("MONTHS is a number, 'never' or 'usual'.")

    async def work(connection: Connection) -> None:
        if months == "usual":
            await groups.drop_period(connection, COMMAND_LINE, proposal, start)
        else:
            await groups.set_period(
                connection, COMMAND_LINE, proposal, None if months == "never" else int(months), start
            )

    run_on_database(work)
    click.echo(f"{proposal}: {months}")


@group.command("list")
def list_groups() -> None:
    """List all groups, and proposals that own frames and are no group yet."""
    from paws.accounts import groups

    for item in run_on_database(groups.all_groups):
        click.echo(
            f"{item['proposal']:<20} {item['members']:>3} members {item['frames']:>7} frames  {item['title']}"
        )
    for proposal in run_on_database(groups.unclaimed):
        click.echo(f"{proposal:<20} no group yet: only administrators see its frames")
