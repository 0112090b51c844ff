"""Requests on the pages: what may be asked, by whom, who sees it, and what is told of it."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlencode

import asyncpg
import httpx

from paws.access.rule import Sight, may_see_request
from paws.settings import Settings
from schemas.parameters import PARAMETERS
from tests.support.night_plan import NIGHT
from tests.support.people import MINE, MY_FIELD, NOW, THEIR_FIELD, THEIRS, House, csrf_in, send
from tests.web.request_site import NEW, api_of, ask, fill_in, form_of, science


async def test_form_shows_frames_calibrations_and_what_differs(house: House) -> None:
    theo = await house.person("theo")
    frames = science(house, THEIR_FIELD)
    html = await form_of(theo, frames)
    assert html.count('name="frame"') == len(frames)
    for parameter in PARAMETERS:
        assert f'name="p-{parameter.name}"' in html
    assert "arc" in html
    done = await fill_in(theo, frames, **{"p-SKYSUB": "0", "p-CSIGREJ": "5", "title": "without sky"})
    assert done.status_code == 303, done.text
    page = (await theo.get(done.headers["location"])).text
    assert "without sky" in page
    assert "SKYSUB" in page
    assert "CSIGREJ" not in page, "5 is the default"
    row = await house.pool.fetchrow("SELECT * FROM request")
    assert row["parameters"] == {"SKYSUB": False}
    assert row["who"] == "theo"
    assert row["owners"] == [THEIRS]
    assert await house.pool.fetchval("SELECT count(*) FROM outbox WHERE topic = 'requests.ordered'") == 1
    assert await house.pool.fetchval("SELECT count(*) FROM audit WHERE action = 'request submit'") == 1


async def test_selection_of_another_page_is_taken_over(house: House) -> None:
    theo = await house.person("theo")
    csrf = csrf_in((await theo.get("/archive")).text)
    many = [f"20260312-12mar1{number:04d}-{'0' * 12}" for number in range(1000)]
    items = [("csrf", csrf), *(("frame", one) for one in [*science(house, THEIR_FIELD), *many][:1000])]
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    found = await theo.post(NEW, content=urlencode(items), headers=headers)
    assert found.status_code == 200
    assert "of the frames do not exist, or are not yours to see" in found.text
    items.append(("frame", "one too many"))
    assert (await theo.post(NEW, content=urlencode(items), headers=headers)).status_code == 422


async def test_nobody_asks_for_what_they_do_not_see(house: House) -> None:
    theo, visitor = await house.person("theo"), house.browser()
    frames = science(house, MY_FIELD)
    html = await form_of(theo, frames)
    assert 'name="frame"' not in html
    assert MY_FIELD not in html
    refused = await fill_in_blind(theo, frames)
    assert refused.status_code == 422
    assert f"{len(frames)} of them do not exist" in refused.text
    nothing = await fill_in_blind(theo, ["20260312-12mar10099-000000000000"] * 2)
    assert "1 of them do not exist" in nothing.text
    assert await house.pool.fetchval("SELECT count(*) FROM request") == 0
    assert (await visitor.get(NEW)).status_code == 401
    assert (await visitor.get("/api/requests")).json()["total"] == 0


async def fill_in_blind(client: httpx.AsyncClient, frames: list[str]) -> httpx.Response:
    csrf = csrf_in((await client.get("/account")).text)
    items = [("csrf", csrf), ("nonce", "n"), *(("frame", one) for one in frames)]
    return await client.post(
        "/requests", content=urlencode(items), headers={"Content-Type": "application/x-www-form-urlencoded"}
    )


async def test_request_is_seen_by_owner_members_and_administrators_alone(house: House) -> None:
    theo, lea, mia, root = [await house.person(name) for name in ("theo", "lea", "mia", "root")]
    address = (await fill_in(theo, science(house, THEIR_FIELD))).headers["location"]
    for client, sees in ((theo, True), (lea, True), (root, True), (mia, False), (house.browser(), False)):
        for path in (address, f"/api{address}", f"/api{address}/log"):
            assert (await client.get(path)).status_code == (200 if sees else 404), path
        assert (await client.get("/api/requests")).json()["total"] == int(sees)
        assert (address in (await client.get("/requests")).text) is sees
    nothing = address.replace(address.rsplit("/", 1)[1], "0" * 16)
    own, other = (await mia.get(f"/api{address}")).text, (await mia.get(f"/api{nothing}")).text
    assert own.replace(address, "X") == other.replace(nothing, "X")
    # Of a member's frames, but somebody else's to order about.
    assert (await send(lea, f"{address}/cancel", address)).status_code == 403
    assert (await send(mia, f"{address}/cancel", "/account")).status_code == 404
    assert "Cancel" not in re.sub(
        r"<title>.*", "", (await lea.get(address)).text.split("Clone")[0].split("actions")[-1]
    )
    await send(theo, f"{address}/cancel", address)
    assert await house.pool.fetchval("SELECT cancelled_by FROM request") == "theo"


async def test_proposal_of_frames_that_changes_takes_the_request_along(house: House) -> None:
    theo, mia = await house.person("theo"), await house.person("mia")
    address = (await fill_in(theo, science(house, THEIR_FIELD))).headers["location"]
    assert (await mia.get(address)).status_code == 404
    await house.pool.execute("UPDATE frame SET proposal = $1 WHERE field = $2", MINE, THEIR_FIELD)
    assert (await mia.get(address)).status_code == 200
    assert (await theo.get(address)).status_code == 200, "whoever asked may still see that they did"
    assert "12mar" not in (await theo.get(address)).text.replace("Submitted", "")


async def test_form_that_is_sent_twice_makes_one_request(house: House) -> None:
    theo = await house.person("theo")
    frames = science(house, THEIR_FIELD)
    first = await fill_in(theo, frames, nonce="the same")
    second = await fill_in(theo, frames, nonce="the same")
    assert first.headers["location"] == second.headers["location"]


WRONG = [
    ("p-SKYSUB", "perhaps", "expected yes or no"),
    ("p-PCANUM", "1e9", "expected a number from 1 to 100"),
    ("p-PCANUM", "nan", "expected a number"),
    ("p-TPMETH", "'; DROP TABLE frame", "expected one of"),
    ("p-WAVE_START", "9" * 80, "at most 60"),
    ("engine", "../../bin/sh", "choose one of"),
    ("max_level", "7", "0 to 4"),
    ("max_level", "<b>", "0 to 4"),
    ("without", ["everything"], "choose of"),
    ("title", "x" * 500, "at most 120"),
    ("webhook", "https://10.0.0.1/x", "private network"),
    ("webhook", "http://[::ffff:127.0.0.1]/", "private network"),
    ("webhook", "http://169.254.169.254/latest/meta-data", "private network"),
    ("webhook", "file:///etc/passwd", "begins with https"),
    ("webhook", "https://user:secret@example.org/", "no name or password"),
    ("webhook", "http://exa mple.org", "plain characters"),
]


async def test_what_is_wrong_is_named_where_it_stands(house: House) -> None:
    theo = await house.person("theo")
    for field, value, told in WRONG:
        found = await fill_in(theo, science(house, THEIR_FIELD), **{field: value})
        assert found.status_code == 422, (field, value)
        assert told in found.text, (field, value)
        assert "DROP TABLE" not in found.text or "&#39;; DROP TABLE" in found.text
    assert await house.pool.fetchval("SELECT count(*) FROM request") == 0


async def test_markup_stays_text(house: House) -> None:
    theo = await house.person("theo")
    address = (await fill_in(theo, science(house, THEIR_FIELD), title="<script>alert(1)</script>")).headers[
        "location"
    ]
    for path in (address, "/requests", f"{NEW}?clone={address.rsplit('/', 1)[1]}"):
        html = (await theo.get(path)).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html


async def test_clone_brings_frames_and_parameters_along(house: House) -> None:
    theo, mia = await house.person("theo"), await house.person("mia")
    frames = science(house, THEIR_FIELD)
    done = await fill_in(theo, frames, **{"p-VELCOR": "yes", "p-CSIGREJ": "4", "without": ["dark"]})
    request_id = done.headers["location"].rsplit("/", 1)[1]
    html = (await theo.get(f"{NEW}?clone={request_id}")).text
    assert f'name="cloned_from" value="{request_id}"' in html
    assert 'value="1" selected' in html
    assert 'name="p-CSIGREJ" value="4"' in html
    assert re.search(r'name="without" value="dark" checked', html)
    assert html.count('name="frame"') == len(frames)
    assert (await mia.get(f"{NEW}?clone={request_id}")).status_code == 404
    assert (await theo.get(f"{NEW}?clone=%3Cb%3E")).status_code == 404
    assert (await theo.get(f"{NEW}?farme=x")).status_code == 422


async def test_names_of_other_programmes_are_not_told(house: House) -> None:
    theo = await api_of(house, "theo")
    request_id = (await ask(theo, select={})).json()["request_id"]
    hidden = next(frame for frame in house.frames_of(MY_FIELD) if frame.frame_class.value == "MFARC")
    stem = hidden.name.removesuffix(".fits")
    await house.pool.execute(
        "INSERT INTO request_part (request_id, job_key, position, slot, kind, night, label, result, reason)"
        " VALUES ($1, $2, 0, 's', 'reduce_arc', $3, $4, false, $5)",
        *(request_id, "a" * 64, NIGHT, stem, f"waiting for the arc of {stem}"),
    )
    await house.pool.execute(
        "UPDATE request SET missing = $2, reason = $3 WHERE request_id = $1",
        *(request_id, [{"label": stem, "reason": stem}], f"{stem} failed"),
    )
    await house.pool.execute(
        "INSERT INTO request_event (request_id, at, kind, text) VALUES ($1, now(), 'x', $2)",
        request_id,
        f"{stem} failed",
    )
    person = await house.person("theo")
    for text in (
        (await theo.get(f"/api/requests/{request_id}")).text,
        (await person.get(f"/requests/{request_id}")).text,
        (await person.get("/requests")).text,
    ):
        assert stem not in text
    assert stem in (await (await house.person("root")).get(f"/requests/{request_id}")).text


async def test_log_of_what_is_at_work_is_shown_live(house: House) -> None:
    theo = await api_of(house, "theo")
    request_id = (await ask(theo, select={})).json()["request_id"]
    frame = next(
        frame
        for frame in house.frames_of(THEIR_FIELD)
        if frame.frame_class.is_science and frame.frame_id in house.rows.jobs
    )
    key = house.rows.jobs[frame.frame_id]
    await house.pool.execute("UPDATE reduction SET state = 'running', attempt = 1 WHERE job_key = $1", key)
    stem = frame.name.removesuffix(".fits")
    hidden = house.frames_of(MY_FIELD)[0].name.removesuffix(".fits")
    log = house.settings.data_dir / "logs" / "reductions" / NIGHT / f"{key[:16]}-1.log"
    log.write_text(f"an older line\n{hidden} is read\n" * 20 + f"reduce_object {stem}\n<b>Extracting\x07\n")
    await house.pool.execute(
        "INSERT INTO request_part (request_id, job_key, position, slot, kind, night, label, result)"
        " VALUES ($1, $2, 0, 's', 'reduce_object', $3, $4, true)",
        *(request_id, key, NIGHT, stem),
    )
    await house.pool.execute("UPDATE request SET state = 'Running'")
    text = (await theo.get(f"/api/requests/{request_id}/log")).text
    assert text.splitlines()[-1] == "<b>Extracting "
    assert len(text.splitlines()) == 13
    assert hidden not in text
    page = (await (await house.person("theo")).get(f"/requests/{request_id}")).text
    assert "&lt;b&gt;Extracting" in page
    assert hidden not in page
    assert "No runner of the engine builtin is there" in page


def test_rule_of_requests_is_the_same_in_the_database(database: Settings) -> None:
    cases = [
        (everything, frozenset(groups), viewer, frozenset(owners), account)
        for everything in (True, False)
        for groups in ((), ("A",), ("A", "B"), ("*",))
        for viewer in (None, 1)
        for owners in ((), ("A",), ("A", "B"), ("",), ("*",))
        for account in (None, 1, 2)
    ]

    async def ask_database() -> list[bool]:
        connection = await asyncpg.connect(database.require_database())
        try:
            return [
                await connection.fetchval(
                    "SELECT may_see_request($1, $2, $3, $4, $5)",
                    *(sorted(owners), account, viewer, everything, sorted(groups)),
                )
                for everything, groups, viewer, owners, account in cases
            ]
        finally:
            await connection.close()

    told = asyncio.run(ask_database())
    for (everything, groups, viewer, owners, account), answer in zip(cases, told, strict=True):
        sight = Sight(everything, groups, frozenset(), NOW.date())
        assert may_see_request(sight, viewer, owners, account) is answer
    assert {True, False} == set(told)
