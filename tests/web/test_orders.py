"""Orders from the pages: by those allowed, once, with reason, kept and shown; refused and hidden for others."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import urlencode

import httpx

from tests.support.night_plan import HOSTILE, NIGHT
from tests.support.people import MINE, MY_FIELD, THEIR_FIELD, THEIRS, House, csrf_in, make_token, send, shown
from tests.web.conftest import Site, running

ORDERS = f"/nights/{NIGHT}/orders"
ONCE = "a-value-of-a-form-that-is-sent-once"


def frames_of(house: House, field: str, run: int) -> list[str]:
    return [frame.frame_id for frame in house.frames_of(field) if frame.run == run]


def page_for(frames: list[str]) -> str:
    return f"{ORDERS}?{urlencode([('frame', one) for one in frames])}"


async def give(client: httpx.AsyncClient, frames: list[str], **form: str) -> httpx.Response:
    """Fill in the form of orders and send it, as the page has it."""
    page = await client.get(page_for(frames))
    if "csrf" not in page.text:
        # Whoever has no form may still send one.
        page = await client.get("/sign-in")
    once = re.search(r'name="once" value="([^"]+)"', page.text)
    fields = {"once": once.group(1) if once else ONCE, "kind": "junk", "reason": "clouds", **form}
    body = urlencode([("csrf", csrf_in(page.text)), *(("frame", one) for one in frames), *fields.items()])
    return await client.post(
        ORDERS, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )


async def test_a_member_junks_and_takes_it_back(house: House) -> None:
    lea = await house.person("lea")
    frames = frames_of(house, THEIR_FIELD, 12)
    done = await give(lea, frames, reason="  thin cloud, guiding   lost ")
    assert done.status_code == 303, done.text
    assert done.headers["location"].startswith(f"{ORDERS}#order-")
    rows = await house.pool.fetch(
        "SELECT junked, junk_reason, junked_by FROM frame WHERE frame_id = ANY($1)", frames
    )
    assert {tuple(row) for row in rows} == {(True, "thin cloud, guiding lost", "lea")}
    events = await house.pool.fetch("SELECT payload FROM outbox WHERE topic = 'frames.junked'")
    assert sorted(row["payload"]["frame_id"] for row in events) == sorted(frames)
    book = (await lea.get(ORDERS)).text
    assert "thin cloud, guiding lost" in book
    assert "by lea" in book
    assert 'data-state="junked"' in book

    house.clock.now += timedelta(minutes=5)
    await give(lea, frames, kind="unjunk", reason="only the guider's camera")
    assert not await house.pool.fetchval("SELECT bool_or(junked) FROM frame WHERE frame_id = ANY($1)", frames)
    book = (await lea.get(ORDERS)).text
    assert book.index("only the guider&#39;s camera") < book.index("thin cloud"), (
        "the newest first; nothing is lost"
    )
    audit = await house.pool.fetch(
        "SELECT actor, action FROM audit WHERE action LIKE 'frames%' ORDER BY audit_id"
    )
    assert [tuple(row) for row in audit] == [
        ("lea", "frames declared unusable"),
        ("lea", "frames declared good again"),
    ]


async def test_parameters_are_set_and_told(house: House) -> None:
    lea = await house.person("lea")
    frames = frames_of(house, THEIR_FIELD, 12)
    page = (await lea.get(page_for(frames))).text
    assert 'name="p-SKYSUB"' in page
    assert 'name="p-CSIGREJ"' not in page, "that is of combining"
    done = await give(
        lea, frames, **{"kind": "reduce", "reason": "galaxies in the sky", "p-SKYSUB": "no", "p-PCANUM": "8"}
    )
    assert done.status_code == 303, done.text
    row = await house.pool.fetchrow(
        "SELECT parameters, reason, who FROM frame_parameters WHERE frame_id = $1", frames[0]
    )
    assert (row["parameters"], row["reason"], row["who"]) == (
        {"PCANUM": 8, "SKYSUB": False},
        "galaxies in the sky",
        "lea",
    )
    assert await house.pool.fetchval("SELECT count(*) FROM outbox WHERE topic = 'frames.parameters'") == len(
        frames
    )
    assert "PCANUM 8, SKYSUB no" in (await lea.get(ORDERS)).text
    assert "now: <span" in (await lea.get(page_for(frames))).text


async def test_a_form_that_is_sent_twice_is_one_order(house: House) -> None:
    lea = await house.person("lea")
    frames = frames_of(house, THEIR_FIELD, 14)[:1]
    first, second = [await give(lea, frames, once=ONCE) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert await house.pool.fetchval("SELECT count(*) FROM observer_order") == 1
    root = await house.person("root")
    other = await give(root, frames, once=ONCE, reason="another reason")
    assert other.headers["location"] != first.headers["location"], "nobody's order is taken for another's"


async def test_others_get_nothing(house: House) -> None:
    frames = frames_of(house, MY_FIELD, 9)
    lea, visitor = await house.person("lea"), house.browser()
    before = await house.pool.fetchval("SELECT count(*) FROM outbox")
    nothing = ["20260312-12mar10099-000000000000"]
    for client in (lea, visitor):
        hidden, absent = await client.get(page_for(frames)), await client.get(page_for(nothing))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text.replace(urlencode({"f": frames[0]}), "") != ""
        token = csrf_in(
            (await client.get("/sign-in" if client is visitor else ORDERS.replace("orders", "matrix"))).text
        )
        answers = [
            await client.post(
                ORDERS,
                content=urlencode(
                    {"csrf": token, "frame": one, "kind": "junk", "reason": "mine now", "once": ONCE}
                ),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            for one in (frames[0], nothing[0])
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text == answers[1].text
    assert await house.pool.fetchval("SELECT count(*) FROM outbox") == before
    assert await house.pool.fetchval("SELECT count(*) FROM observer_order") == 0


async def test_seeing_is_not_changing(house: House) -> None:
    lea, root, visitor = await house.person("lea"), await house.person("root"), house.browser()
    (bias, *_rest) = [frame.frame_id for frame in house.rows.frames.values() if frame.frame_class == "BIAS"]
    assert "not yours to change" in (await lea.get(page_for([bias]))).text
    assert (await give(lea, [bias])).status_code == 403, "a bias serves everybody"
    assert (await give(lea, [*frames_of(house, THEIR_FIELD, 12), bias])).status_code == 403
    assert (await give(root, [bias])).status_code == 303
    await house.pool.execute("UPDATE access_policy SET months = 0")
    frame = frames_of(house, MY_FIELD, 8)[0]
    assert (await visitor.get(f"/frames/{frame}")).status_code == 200, "public by now"
    assert "Junk or reduce again" not in (await visitor.get(f"/frames/{frame}")).text
    assert (await give(visitor, [frame])).status_code == 403
    assert "by root" not in (await visitor.get(ORDERS)).text
    assert not await house.pool.fetchval("SELECT junked FROM frame WHERE frame_id = $1", frame)


async def test_a_share_link_is_for_reading(house: House) -> None:
    theo, guest = await house.person("theo"), house.browser()
    made = await send(
        theo,
        "/account/shares",
        field=THEIR_FIELD,
        proposal=THEIRS,
        days="3",
        products="",
    )
    link = shown(made.text)
    await guest.get(link.replace("http://paws", ""))
    frame = frames_of(house, THEIR_FIELD, 12)[0]
    assert (await guest.get(f"/frames/{frame}")).status_code == 200
    assert (await give(guest, [frame])).status_code == 403


async def test_a_token_is_for_programs_and_not_for_forms(house: House) -> None:
    lea = await house.person("lea")
    token = shown((await make_token(lea, scope="write")).text)
    program = house.browser(Authorization=f"Bearer {token}")
    frame = frames_of(house, THEIR_FIELD, 12)[0]
    answer = await program.post(ORDERS, data={"frame": frame, "kind": "junk", "reason": "x", "once": ONCE})
    assert answer.status_code == 403
    assert await house.pool.fetchval("SELECT count(*) FROM observer_order") == 0


REFUSED = [
    ({"reason": " "}, "Say why"),
    ({"reason": "x" * 501}, "at most 500"),
    ({"reason": "\x1b[2J"}, "cannot be shown"),
    ({"kind": "destroy"}, "Choose what"),
    ({"once": "short"}, "too old"),
    ({"kind": "reduce", "p-SKYSUB": "perhaps"}, "SKYSUB"),
    ({"kind": "reduce", "p-TLMAP_FILENAME": "/etc/passwd"}, "no such parameter"),
    ({"kind": "reduce", "p-PCANUM": "9" * 4000}, "PCANUM"),
    ({"kind": "reduce", "p-CSIGREJ": "4"}, "does not concern"),
    ({"kind": "reduce", f"p-{HOSTILE}": "1"}, "no such parameter"),
]


async def test_orders_that_are_refused_say_why(house: House) -> None:
    lea = await house.person("lea")
    for form, said in REFUSED:
        answer = await give(lea, frames_of(house, THEIR_FIELD, 12), **form)
        assert answer.status_code == 422, form
        assert said in answer.text, form
        assert HOSTILE not in answer.text
    assert await house.pool.fetchval("SELECT count(*) FROM observer_order") == 0


async def test_a_hostile_reason_stays_text_everywhere(own_site: Site) -> None:
    async with running(own_site.settings) as (_app, client):
        frame = own_site.frame(8, "blue")
        reason = f"{HOSTILE} =cmd()|' {{{{7*7}}}} \"'"
        assert (await give(client, [frame], reason=reason)).status_code == 303
        for path in (
            ORDERS,
            f"/nights/{NIGHT}",
            f"/frames/{frame}",
            f"/nights/{NIGHT}/matrix",
            f"/log/{NIGHT}",
        ):
            text = (await client.get(path)).text
            assert HOSTILE not in text, path
        assert "{{7*7}}" in (await client.get(ORDERS)).text


async def test_programs_give_orders_with_a_token_that_may_write(house: House) -> None:
    lea = await house.person("lea")
    tokens = [shown((await make_token(lea, scope=scope)).text) for scope in ("read", "write")]
    reader, writer = [house.browser(Authorization=f"Bearer {token}") for token in tokens]
    frame, other = frames_of(house, THEIR_FIELD, 12)[0], frames_of(house, MY_FIELD, 8)[0]
    where = f"/api/nights/{NIGHT}/orders"
    body = {
        "kind": "reduce",
        "frames": [frame],
        "reason": "a test",
        "parameters": {"skysub": False},
        "once": ONCE,
    }
    assert (await reader.post(where, json=body)).status_code == 403
    assert (await house.browser().post(where, json=body)).status_code == 401
    assert (await writer.post(where, json={**body, "frames": [other]})).status_code == 404
    for wrong in (
        {"kind": "x"},
        {"frames": []},
        {"reason": " "},
        {"parameters": {"WDIR": "/"}},
        {"more": 1},
        {"once": "x"},
    ):
        assert (await writer.post(where, json={**body, **wrong})).status_code == 422, wrong
    done = await writer.post(where, json=body)
    assert done.status_code == 200, done.text
    assert done.json()["frames"] == [{"frame_id": frame, "effect": "with SKYSUB no"}]
    assert (await writer.post(where, json=body)).json() == done.json(), "the same order"
    (booked,) = (await reader.get(where)).json()["orders"]
    assert (booked["who"], booked["parameters"], booked["reason"]) == ("lea", {"SKYSUB": False}, "a test")
    assert (await house.browser().get(where)).json()["orders"] == []
    fields = (await reader.get(f"/api/nights/{NIGHT}/fields")).json()["fields"]
    assert [field["field"] for field in fields] == [THEIR_FIELD]
    assert {arm["arm"] for arm in fields[0]["arms"]} == {"blue", "red"}


async def test_forms_of_other_sites_are_refused(house: House) -> None:
    lea = await house.person("lea")
    frame = frames_of(house, THEIR_FIELD, 12)[0]
    body = {"frame": frame, "kind": "junk", "reason": "x", "once": ONCE}
    assert (await lea.post(ORDERS, data=body)).status_code == 403
    page = await lea.get(page_for([frame]))
    forged = await lea.post(
        ORDERS, data={**body, "csrf": csrf_in(page.text)}, headers={"Origin": "https://elsewhere.example"}
    )
    assert forged.status_code == 403


async def test_frames_of_another_night_or_too_many_are_refused(house: House) -> None:
    lea = await house.person("lea")
    frame = frames_of(house, THEIR_FIELD, 12)[0]
    assert (await lea.get(f"/nights/20260313/orders?frame={frame}")).status_code == 404
    many = urlencode([("frame", f"x{n}") for n in range(201)])
    assert (await lea.get(f"{ORDERS}?{many}")).status_code == 422
    assert (await lea.get(f"{ORDERS}?frame=%00")).status_code == 404
    assert (await lea.get(f"{ORDERS}?other=1")).status_code == 422
    assert MINE not in (await lea.get(ORDERS)).text
