"""``paws user`` and ``paws group``, and the mail that a reset sends."""

from __future__ import annotations

import asyncio
import json
from email import message_from_bytes, policy
from typing import Any

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP
from click.testing import CliRunner, Result

from agents.notifier import storage as notices
from agents.notifier.desk import Desk
from agents.runtime import AgentContext
from paws.accounts.passwords import WeakPasswordError
from paws.accounts.people import AccountError
from paws.clock import utc_now
from paws.commands.group import group
from paws.commands.user import user
from paws.database import open_pool
from paws.errors import ConfigurationError
from paws.letters import Letter, put_letter
from paws.settings import Settings

PASSWORD = "three blue fibres"


@pytest.fixture
def run(database: Settings, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PAWS_DATABASE_URL", database.require_database())

    def call(command: Any, *arguments: str, text: str | None = None) -> Result:
        return CliRunner().invoke(command, arguments, input=text)

    return call


def ask(settings: Settings, question: str) -> Any:
    async def work() -> Any:
        connection = await asyncpg.connect(settings.require_database())
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(work())


def test_accounts_from_the_command_line(run: Any, database: Settings) -> None:
    made = run(
        user,
        "add",
        "Ann",
        "--administrator",
        "--email",
        "ann@example.org",
        "--password-stdin",
        text=f"{PASSWORD}\n",
    )
    assert made.exit_code == 0, made.exception
    assert ask(database, "SELECT password_hash FROM account").startswith("$argon2id$")
    assert PASSWORD not in made.output
    assert isinstance(run(user, "add", "ann", "--no-password").exception, AccountError), "taken"
    assert isinstance(
        run(user, "add", "bob", "--password-stdin", text="short\n").exception, WeakPasswordError
    )
    assert isinstance(run(user, "add", "bob").exception, ConfigurationError), "no terminal"
    assert run(user, "add", "bob", "--no-password").exit_code == 0
    assert isinstance(
        run(user, "passwd", "nobody", "--password-stdin", text=f"{PASSWORD}\n").exception, AccountError
    )
    before = ask(database, "SELECT password_hash FROM account WHERE name = 'bob'")
    assert run(user, "passwd", "bob", "--password-stdin", text=f"{PASSWORD}\n").exit_code == 0
    assert before is None
    assert ask(database, "SELECT password_hash IS NOT NULL FROM account WHERE name = 'bob'")
    assert isinstance(run(user, "disable", "ann").exception, AccountError), "the last administrator"
    assert run(user, "disable", "bob").exit_code == 0
    found = {item["name"]: item for item in json.loads(run(user, "list", "--json").output)}
    assert found["bob"]["disabled"] is True
    assert found["ann"]["administrator"] is True
    assert "argon2" not in run(user, "list", "--json").output
    assert "disabled" in run(user, "list").output
    assert ask(database, "SELECT count(*) FROM audit WHERE actor = 'command line'") == 4


def test_groups_from_the_command_line(run: Any, database: Settings) -> None:
    run(user, "add", "ann", "--no-password")
    assert isinstance(run(group, "member", "A/1", "ann").exception, AccountError), "no such group"
    assert run(group, "add", " a/2026a/008 ", "--title", "Faint").output == "A/2026A/008 is a group\n"
    assert run(group, "member", "A/2026A/008", "ann", "--leader").exit_code == 0
    assert ask(database, "SELECT role FROM membership") == "leader"
    assert run(group, "member", "A/2026A/008", "ann", "--remove").exit_code == 0
    assert ask(database, "SELECT count(*) FROM membership") == 0
    assert run(group, "period", "A/2026A/008", "24", "--from", "2026-01-01").exit_code == 0
    assert run(group, "period", "A/2026A/008", "never").exit_code == 0
    assert ask(database, "SELECT array_agg(months ORDER BY observed_from) FROM proprietary_period") == [
        None,
        24,
    ]
    assert run(group, "period", "A/2026A/008", "usual").exit_code == 0
    assert ask(database, "SELECT count(*) FROM proprietary_period") == 1
    for wrong in ("-1", "many", "99999"):
        assert run(group, "period", "A/2026A/008", "--", wrong).exception is not None
    assert "A/2026A/008" in run(group, "list").output


class Box:
    """A mail server that keeps what it gets."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.letters.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 kept"


def desk_of(settings: Settings, pool: Any) -> Desk:
    context = AgentContext(settings, utc_now)
    context.pool = pool
    return Desk(context)


@pytest.mark.parametrize("by_server", [True, False])
async def test_letter_reaches_its_recipient_and_is_wiped(database: Settings, by_server: bool) -> None:
    box = Box()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box), "127.0.0.1", 0)
    if by_server:
        port = server.sockets[0].getsockname()[1]
        database = database.model_copy(
            update={"smtp_url": type(database.smtp_url)(f"smtp://127.0.0.1:{port}")}
        )
    async with server, open_pool(database) as pool:
        letter = Letter(
            "ann@example.org", "[PAWS Live] Set\r\nBcc: all@example.org", "key=secret-1\n", "reset 1"
        )
        async with pool.acquire() as connection:
            assert await put_letter(connection, letter)
            assert not await put_letter(connection, letter), "the same occasion"
        await desk_of(database, pool).tick()
        row = await pool.fetchrow("SELECT sent_at, body FROM notification")
        assert row["sent_at"] is not None
        assert row["body"] == "", "the secret is gone"
        assert await notices.next_unsent(pool, []) is None
    if by_server:
        ((recipients, mail),) = box.letters
        assert recipients == ["ann@example.org"]
    else:
        (path,) = database.outbox_dir.iterdir()
        assert path.stat().st_mode & 0o077 == 0, "nobody else reads it"
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert mail["To"] == "ann@example.org"
    assert mail["Bcc"] is None
    assert "secret-1" in mail.get_content()


async def test_letters_that_are_too_old_are_given_up(database: Settings) -> None:
    async with open_pool(database) as pool:
        await put_letter(pool, Letter("ann@example.org", "x", "key=secret-1\n", "reset 1"))
        await pool.execute("UPDATE notification SET created_at = now() - interval '13 hours'")
        await desk_of(database, pool).tick()
        assert await pool.fetchval("SELECT body FROM notification") == ""
    assert not database.outbox_dir.exists()
