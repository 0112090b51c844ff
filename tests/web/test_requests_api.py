"""Requests of programs: selections, parameters, bounds, tokens, secrets, and answers as documented."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from schemas.parameters import PARAMETERS
from tests.support.night_plan import NIGHT
from tests.support.people import MINE, MY_FIELD, THEIR_FIELD, House
from tests.web.request_site import api_of, ask, science
from web.api.openapi import openapi
from web.api.table import API


async def test_whole_run_is_asked_for_by_selection(house: House) -> None:
    theo = await api_of(house, "theo")
    found = await ask(
        theo, select={"first_night": NIGHT, "last_night": NIGHT}, parameters={"skysub": False}, mail=True
    )
    assert found.status_code == 200, found.text
    answer = found.json()
    assert answer["frames"] == len(science(house, THEIR_FIELD)) - 1, (
        "of the frames that theo sees, but the junked one"
    )
    assert answer["state"] == "Initialised"
    assert answer["parameters"] == {"SKYSUB": False}
    assert await house.pool.fetchval("SELECT mail FROM request") == "theo@example.org"
    await house.pool.execute("UPDATE request SET submitted_at = now()")
    assert (
        'paws_requests{state="Initialised"} 1.0' in (await (await house.person("root")).get("/metrics")).text
    )
    again = await theo.get(f"/api/requests/{answer['request_id']}")
    assert {item["field"] for item in again.json()["frame_list"]} == {THEIR_FIELD}
    cancelled = await theo.post(f"/api/requests/{answer['request_id']}/cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["cancel_at"] is not None
    refused = await theo.post(f"/api/requests/{answer['request_id']}/retry")
    assert (refused.status_code, refused.json()["detail"]) == (409, "The request is under way.")


async def test_answers_are_as_documented(house: House) -> None:
    document = openapi(API)
    theo = await api_of(house, "theo")
    made = await ask(theo, select={})
    request_id = made.json()["request_id"]
    checked = 0
    for path, item in document["paths"].items():
        if "{request_id}" not in path:
            continue
        for method, operation in item.items():
            found = await theo.request(method, path.format(request_id=request_id))
            content = operation["responses"]["200"]["content"]
            if found.status_code == 200 and "application/json" in content:
                schema = {**content["application/json"]["schema"], "components": document["components"]}
                Draft202012Validator(schema).validate(found.json())
                checked += 1
            else:
                assert found.status_code in (200, 409), (path, method, found.text)
    assert checked == 2, "the request itself, and its cancellation"
    body = document["paths"]["/api/requests"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator({**body, "components": document["components"]}).validate({"select": {}})


async def test_selection_of_what_one_does_not_see_fits_nothing(house: House) -> None:
    theo = await api_of(house, "theo")
    for select in (
        {"fields": [MY_FIELD]},
        {"proposals": [MINE]},
        {"nights": ["19990101"]},
        {"proposals": ["\u00e9"]},
    ):
        found = await ask(theo, select=select)
        assert found.status_code == 422, found.text
        assert "no frame fits" in found.text


BOUNDS: list[dict[str, Any]] = [
    {},
    {"frames": ["a"], "select": {}},
    {"frames": ["a"] * 1001},
    {"frames": ["../x"]},
    {"frames": ["x\u0000"]},
    {"select": {"nights": ["2026-03-12"]}},
    {"select": {"classes": []}},
    {"select": {"fields": ["x"] * 201}},
    {"select": {}, "parameters": {"IDXFILE": "/etc/passwd"}},
    {"select": {}, "parameters": {"SKYSUB": [1]}},
    {"select": {}, "parameters": {"SKYSUB": True, "skysub": False}},
    {"select": {}, "parameters": {"PCANUM": 1e308}},
    {"select": {}, "max_level": 5},
    {"select": {}, "title": "x" * 121},
    {"select": {}, "surprise": 1},
    {"select": {}, "engine": "nothing of that name"},
]


async def test_what_a_program_sends_is_bounded(house: House) -> None:
    theo = await api_of(house, "theo")
    for sent in BOUNDS:
        found = await ask(theo, **sent)
        assert found.status_code == 422, (str(sent)[:80], found.text)
        assert found.headers["content-type"] == "application/problem+json"
    assert await house.pool.fetchval("SELECT count(*) FROM request") == 0
    # A name may mean anything: it is judged when it is resolved, before anything is sent.
    assert (await ask(theo, select={}, webhook="http://localhost:5432/")).status_code == 200


async def test_programs_need_the_right_token_and_kind(house: House) -> None:
    reader, visitor, theo = await api_of(house, "theo", "read"), house.browser(), await house.person("theo")
    assert (await ask(visitor, select={})).status_code == 401
    assert (await ask(reader, select={})).status_code == 403
    assert (await ask(house.browser(Authorization="Bearer paws_forged"), select={})).status_code == 401
    writer = await api_of(house, "theo")
    for headers, body, status in (
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"select=1", 415),
        ({"Content-Type": "application/json"}, b"{" * 100_000, 422),
        ({"Content-Type": "application/json"}, b" " * 2_000_001, 413),
    ):
        assert (await writer.post("/api/requests", content=body, headers=headers)).status_code == status
    # A page of another site, with theo's cookies.
    evil = await theo.post("/api/requests", json={"select": {}}, headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    assert (await theo.post("/requests", data={"frame": "x"})).status_code == 403, "no csrf"


async def test_secret_of_a_webhook_is_for_its_owner(house: House) -> None:
    theo, lea = await api_of(house, "theo"), await api_of(house, "lea")
    made = (await ask(theo, select={}, webhook="https://hooks.example.org/paws")).json()
    assert len(made["webhook_secret"]) > 40
    path = f"/api/requests/{made['request_id']}"
    assert (await lea.get(path)).json()["webhook_secret"] is None
    page = (await (await house.person("lea")).get(f"/requests/{made['request_id']}")).text
    assert made["webhook_secret"] not in page
    assert "hooks.example.org" not in page


async def test_list_is_filtered_counted_and_paged(house: House) -> None:
    theo, lea = await api_of(house, "theo"), await api_of(house, "lea")
    for client, title in ((theo, "deep"), (theo, "deeper"), (lea, "50%_off")):
        assert (await ask(client, select={}, title=title)).status_code == 200

    async def titles(query: str) -> list[str]:
        return [item["title"] for item in (await lea.get(f"/api/requests?{query}")).json()["items"]]

    assert sorted(await titles("")) == ["50%_off", "deep", "deeper"]
    assert sorted(await titles("q=DEEP")) == ["deep", "deeper"]
    assert await titles("q=%25_o") == ["50%_off"]
    assert await titles("who=theo&limit=1&offset=2") == []
    assert await titles("mine=true") == ["50%_off"]
    assert await titles("state=Failed") == []
    person = await house.person("lea")
    await house.pool.execute(
        "UPDATE request SET submitted_at = submitted_at - interval '9 days' WHERE title = 'deep'"
    )
    await house.pool.execute("UPDATE request SET submitted_at = now() WHERE title <> 'deep'")
    assert "2 requests in the last 7 days" in (await person.get("/requests")).text
    for query in ("state=Lost", "limit=0", "limit=5000", "mine=perhaps", "q=%00"):
        assert (await person.get(f"/requests?{query}")).status_code == 422


async def test_parameters_are_told_to_programs(house: House) -> None:
    found = (await house.browser().get("/api/parameters")).json()
    assert [item["name"] for item in found["parameters"]] == [one.name for one in PARAMETERS]
    assert found["engines"][0] == {
        "name": "builtin",
        "version": found["engines"][0]["version"],
        "usual": True,
    }
