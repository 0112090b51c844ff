"""Jobs: UWS over HTTP, across processes, and after a kill."""

from __future__ import annotations

import asyncio
import io
import xml.etree.ElementTree as ElementTree
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from astropy.io.votable import parse

from paws.vo import jobs as store
from paws.vo.jobs import MOST_ATTEMPTS, job_folder
from paws.vo.uws import Phase
from tests.support.people import House
from tests.vo.conftest import as_program
from web.vo.tap.bell import Bell
from web.vo.tap.job_documents import OWN
from web.vo.tap.rows import FIRST
from web.vo.tap.runner import JobRunner

UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"
QUERY = {"LANG": "ADQL", "RESPONSEFORMAT": "csv", "QUERY": "SELECT COUNT(*) AS n FROM ivoa.obscore"}
ENDLESS = "SELECT COUNT(*) AS n FROM " + ", ".join(f"ivoa.obscore AS t{number}" for number in range(6))


async def create(client: httpx.AsyncClient, **more: str) -> str:
    """Make a job. Returns its path."""
    answer = await client.post("/tap/async", data={**QUERY, **more})
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    assert address.startswith("http://paws/tap/async/")
    return str(address.removeprefix("http://paws"))


async def run(client: httpx.AsyncClient, path: str) -> str:
    """Run a job to its end. Returns its phase."""
    answer = await client.post(f"{path}/phase", data={"PHASE": "RUN"})
    assert answer.status_code == 303
    return await ended(client, path)


async def ended(client: httpx.AsyncClient, path: str) -> str:
    for _ in range(20):
        phase = (await client.get(f"{path}/phase", params={"WAIT": "20"})).text
        if Phase(phase).is_final:
            return phase
    raise AssertionError(f"the job is {phase}")


async def executing(client: httpx.AsyncClient, path: str) -> None:
    await client.post(f"{path}/phase", data={"PHASE": "RUN"})
    await client.get(path, params={"WAIT": "20", "PHASE": "QUEUED"})
    assert (await client.get(f"{path}/phase")).text == "EXECUTING"


async def document(client: httpx.AsyncClient, path: str) -> ElementTree.Element:
    return ElementTree.fromstring((await client.get(path)).content)


async def test_a_job_goes_from_pending_to_its_result(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea, RUNID="night 7 <>&")
    root = await document(lea, path)
    assert [root.findtext(f"{UWS}{name}") for name in ("phase", "ownerId", "runId")] == [
        "PENDING",
        "lea",
        "night 7 <>&",
    ]
    assert await run(lea, path) == "COMPLETED"
    root = await document(lea, path)
    (result,) = root.iter(f"{UWS}result")
    answer = await lea.get(result.get("{http://www.w3.org/1999/xlink}href"))
    assert answer.text.split() == ["n", "54"]
    assert answer.headers["content-type"].startswith("text/csv")
    assert int(result.get("size")) == len(answer.content)
    assert root.findtext(f"{UWS}jobInfo/{{{OWN}}}rows") == "1"


async def test_a_job_may_run_from_its_creation_on(vo: House):
    nobody = as_program(vo)
    path = await create(nobody, PHASE="RUN")
    assert await ended(nobody, path) == "COMPLETED"
    assert (await nobody.get(f"{path}/results/result")).text.split() == ["n", "0"]


async def test_parameters_are_set_until_it_runs(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea)
    await lea.post(
        f"{path}/parameters", data={"query": "SELECT 7 AS n FROM TAP_SCHEMA.schemas", "MAXREC": "1"}
    )
    await lea.post(f"{path}/executionduration", data={"EXECUTIONDURATION": "999999"})
    await lea.post(f"{path}/destruction", data={"DESTRUCTION": "2026-03-14T00:00:00Z"})
    assert (await lea.get(f"{path}/executionduration")).text == "14400"
    assert (await lea.get(f"{path}/destruction")).text == "2026-03-14T00:00:00.000Z"
    assert await run(lea, path) == "COMPLETED"
    assert (await lea.get(f"{path}/results/result")).text.split() == ["n", "7"]
    again = await lea.post(f"{path}/parameters", data={"QUERY": "SELECT 8 AS n FROM TAP_SCHEMA.schemas"})
    assert again.status_code == 400
    assert "COMPLETED" in again.text


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"QUERY": "SELECT nothing FROM ivoa.obscore"}, "nothing"),
        ({"LANG": "PQL"}, "PQL"),
        ({"QUERY": ""}, "QUERY"),
    ],
)
async def test_a_job_that_cannot_be_done_says_why(vo: House, more, words):
    lea = as_program(vo, "lea")
    path = await create(lea, **more)
    assert await run(lea, path) == "ERROR"
    answer = await lea.get(f"{path}/error")
    assert answer.status_code == 200
    (info,) = parse(io.BytesIO(answer.content)).resources[0].infos
    assert words in info.content
    summary = (await document(lea, path)).find(f"{UWS}errorSummary")
    assert words in summary.findtext(f"{UWS}message")
    assert (await lea.get(f"{path}/results/result")).status_code == 404


async def test_a_query_that_breaks_off_among_its_rows_leaves_no_result(vo: House):
    """VOTable could tell of it behind the rows, but whoever looks at the phase would take those for all."""
    lea = as_program(vo, "lea")
    table = "n\n" + "".join(f"{number}\n" for number in range(1, 3 * FIRST))
    answer = await lea.post(
        "/tap/async",
        data={
            **QUERY,
            "RESPONSEFORMAT": "votable",
            "QUERY": f"SELECT n + {2**63 - 2 * FIRST} AS n FROM TAP_UPLOAD.t",
            "UPLOAD": "t,param:up",
        },
        files={"up": ("up.csv", table.encode(), "text/csv")},
    )
    path = answer.headers["location"].removeprefix("http://paws")
    assert await run(lea, path) == "ERROR"
    assert "too large for its type" in (await lea.get(f"{path}/error")).text
    assert (await lea.get(f"{path}/results/result")).status_code == 404


async def test_an_abort_ends_the_query_in_the_database(vo: House):
    root = as_program(vo, "root")
    path = await create(root, QUERY=ENDLESS)
    await executing(root, path)
    assert await _working(vo, path) == 1
    answer = await root.post(f"{path}/phase", data={"PHASE": "ABORT"})
    assert answer.status_code == 303
    assert (await root.get(f"{path}/phase")).text == "ABORTED"
    assert await _working(vo, path) == 0
    assert (await root.post(f"{path}/phase", data={"PHASE": "RUN"})).status_code == 400


async def _working(vo: House, path: str) -> int:
    """Queries of a job that the database works on; it is given a moment to end one."""
    label = store.label_of(path.rsplit("/", 1)[-1])
    for _ in range(1200):
        count = await vo.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'", label
        )
        phase = await vo.pool.fetchval("SELECT phase FROM tap_job WHERE job_id = $1", path.rsplit("/", 1)[-1])
        if bool(count) == (phase == "EXECUTING"):
            break
        await asyncio.sleep(0.05)
    return int(count)


@pytest.mark.parametrize("how", ["DELETE", "ACTION"])
async def test_a_job_is_destroyed_with_all_it_has(vo: House, how):
    lea = as_program(vo, "lea")
    path = await create(lea)
    await run(lea, path)
    folder = job_folder(vo.settings, path.rsplit("/", 1)[-1])
    assert folder.is_dir()
    answer = await (lea.delete(path) if how == "DELETE" else lea.post(path, data={"ACTION": "DELETE"}))
    assert (answer.status_code, answer.headers["location"]) == (303, "http://paws/tap/async")
    assert (await lea.get(path)).status_code == 404
    assert not folder.exists()


async def test_jobs_of_others_are_not_there(vo: House):
    lea, mia, nobody = as_program(vo, "lea"), as_program(vo, "mia"), as_program(vo)
    path = await create(lea)
    for stranger in (mia, nobody):
        theirs = await stranger.get(path)
        missing = await stranger.get("/tap/async/0123456789abcdef0123456789abcdef")
        assert (
            (theirs.status_code, theirs.content)
            == (missing.status_code, missing.content)
            == (404, theirs.content)
        )
        assert (await stranger.delete(path)).status_code == 404
        assert path.rsplit("/", 1)[-1] not in (await stranger.get("/tap/async")).text
    assert path.rsplit("/", 1)[-1] in (await lea.get("/tap/async")).text


async def test_the_list_is_narrowed_down(vo: House):
    theo = as_program(vo, "theo")
    first = await create(theo)
    vo.clock.now += timedelta(seconds=10)
    second = await create(theo)
    await run(theo, second)

    async def listed(**parameters: str) -> list[str]:
        answer = await theo.get("/tap/async", params=parameters)
        return [
            f"/tap/async/{one.get('id')}"
            for one in ElementTree.fromstring(answer.content).iter(f"{UWS}jobref")
        ]

    assert await listed() == [second, first]
    assert await listed(PHASE="PENDING") == [first]
    assert await listed(LAST="1") == [second]
    assert await listed(AFTER="2026-03-13T02:00:05Z") == [second]
    assert (await theo.get("/tap/async", params={"PHASE": "SLEEPING"})).status_code == 400
    vo.clock.now -= timedelta(seconds=10)


async def test_a_job_whose_time_is_over_is_gone(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea, DESTRUCTION="2026-03-13T02:00:30Z")
    vo.clock.now += timedelta(minutes=1)
    assert (await lea.get(path)).status_code == 404
    assert path.rsplit("/", 1)[-1] in await store.expired(vo.pool, vo.clock())


async def test_a_result_is_no_larger_than_it_may_be(vo: House):
    lea = as_program(vo, "lea")
    runner = vo.app.state.web.tap.jobs
    runner._settings = vo.settings.model_copy(update={"tap_result_size": 0})
    path = await create(lea)
    assert await run(lea, path) == "ERROR"
    assert "fill" in (await lea.get(f"{path}/error")).text


async def test_somebody_who_lost_their_account_has_no_results(vo: House):
    theo = as_program(vo, "theo")
    path = await create(theo)
    await vo.pool.execute("UPDATE account SET disabled_at = now() WHERE name = 'theo'")
    try:
        job_id = path.rsplit("/", 1)[-1]
        await store.change_phase(vo.pool, job_id, Phase.PENDING, Phase.QUEUED, vo.clock())
        vo.app.state.web.tap.jobs.wake()
        for _ in range(3000):
            job = await store.find(vo.pool, job_id, vo.clock())
            if job.phase.is_final:
                break
            await asyncio.sleep(0.02)
        assert job.phase is Phase.ERROR
        assert "account" in job.error
    finally:
        await vo.pool.execute("UPDATE account SET disabled_at = NULL WHERE name = 'theo'")


# ---- Several processes, and those that are killed --------------------------------------------------------------


@pytest.fixture
def idle(vo: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's own process takes no jobs: it looks for them every other second, and would be quicker at times."""

    async def take_none() -> None:
        return

    monkeypatch.setattr(vo.app.state.web.tap.jobs, "_take_all", take_none)


def another_process(vo: House, **more: object) -> JobRunner:
    """What a second web process would have; it is not running."""
    settings = vo.settings.model_copy(update=more)
    return JobRunner(settings, lambda: vo.pool, vo.app.state.web.tap.queries, Bell(), vo.clock)


async def test_a_job_whose_process_was_killed_is_run_by_another(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea)
    job_id = path.rsplit("/", 1)[-1]
    # Queued, taken by a process, which then is no more.
    await store.change_phase(vo.pool, job_id, Phase.PENDING, Phase.QUEUED, vo.clock())
    await vo.pool.execute(
        "UPDATE tap_job SET phase = 'EXECUTING', worker = 'gone', attempts = 1, lease_until = now() - interval '1 s'"
        " WHERE job_id = $1",
        job_id,
    )
    vo.app.state.web.tap.jobs.wake()
    assert await ended(lea, path) == "COMPLETED"
    assert (await lea.get(f"{path}/results/result")).text.split() == ["n", "54"]


async def test_a_job_that_kills_its_processes_fails_with_the_reason(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea)
    await vo.pool.execute(
        "UPDATE tap_job SET phase = 'EXECUTING', queued_at = now(), worker = 'gone', attempts = $2,"
        " lease_until = now() - interval '1 s' WHERE job_id = $1",
        *(path.rsplit("/", 1)[-1], MOST_ATTEMPTS),
    )
    vo.app.state.web.tap.jobs.wake()
    assert await ended(lea, path) == "ERROR"
    assert "process" in (await lea.get(f"{path}/error")).text


async def test_what_comes_late_from_a_process_that_was_given_up_changes_nothing(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea)
    job_id = path.rsplit("/", 1)[-1]
    assert await run(lea, path) == "COMPLETED"
    job = await store.find(vo.pool, job_id, vo.clock())
    late = store.Job(**{**vars(job), "worker": "gone", "attempts": 1})
    assert not await store.fail(vo.pool, late, "too late", vo.clock())
    assert not await store.complete(vo.pool, late, store.Result("text/csv", 1, 0), vo.clock())
    assert (await lea.get(f"{path}/phase")).text == "COMPLETED"


@pytest.mark.parametrize(
    "change",
    ["UPDATE tap_job SET phase = 'ABORTED' WHERE job_id = $1", "DELETE FROM tap_job WHERE job_id = $1"],
)
@pytest.mark.usefixtures("idle")
async def test_a_job_that_is_just_being_aborted_is_not_taken(vo: House, change: str):
    path = await create(as_program(vo, "lea"))
    job_id = path.rsplit("/", 1)[-1]
    await store.change_phase(vo.pool, job_id, Phase.PENDING, Phase.QUEUED, vo.clock())
    async with vo.pool.acquire() as other, other.transaction():
        await other.execute(change, job_id)
        taken = await asyncio.wait_for(store.claim(vo.pool, vo.settings, "another", vo.clock()), 60)
        assert taken is None
    assert await store.claim(vo.pool, vo.settings, "another", vo.clock()) is None
    assert await vo.pool.fetchval("SELECT phase FROM tap_job WHERE job_id = $1", job_id) in (None, "ABORTED")


@pytest.mark.usefixtures("idle")
async def test_a_job_whose_folder_was_removed_while_it_ran_says_so(vo: House):
    lea = as_program(vo, "lea")
    path = await create(lea)
    job_id = path.rsplit("/", 1)[-1]
    await store.change_phase(vo.pool, job_id, Phase.PENDING, Phase.QUEUED, vo.clock())
    runner = another_process(vo)
    job = await store.claim(vo.pool, vo.settings, runner.worker, vo.clock())
    part = job_folder(vo.settings, job_id) / "part.1"
    await runner._keep(job, part, store.Result("text/csv", 1, 0))
    assert (await lea.get(f"{path}/phase")).text == "ERROR"
    assert "removed" in (await lea.get(f"{path}/error")).text


@pytest.mark.usefixtures("idle")
async def test_a_process_that_ends_hands_its_jobs_back(vo: House):
    root = as_program(vo, "root")
    path = await create(root, QUERY=ENDLESS)
    job_id = path.rsplit("/", 1)[-1]
    await store.change_phase(vo.pool, job_id, Phase.PENDING, Phase.QUEUED, vo.clock())
    ending = another_process(vo)
    job = await store.claim(vo.pool, vo.settings, ending.worker, vo.clock())
    assert (job.job_id, job.attempts) == (job_id, 1)
    ending._tasks[job_id] = asyncio.create_task(ending._work(job))
    await _working(vo, path)
    await ending._leave()
    row = await vo.pool.fetchrow("SELECT phase, worker, attempts FROM tap_job WHERE job_id = $1", job_id)
    assert (row["phase"], row["worker"], row["attempts"]) == ("QUEUED", None, 0), "the try does not count"
    await root.delete(path)


@pytest.mark.usefixtures("idle")
async def test_turns_are_fair_over_all_processes(vo: House):
    many, few = as_program(vo, address="198.51.100.1"), as_program(vo, address="198.51.100.2")
    paths = [await create(client) for client in (many, many, many, few)]
    for number, path in enumerate(paths):
        await vo.pool.execute(
            "UPDATE tap_job SET phase = 'QUEUED', queued_at = $2 WHERE job_id = $1",
            *(path.rsplit("/", 1)[-1], vo.clock() + timedelta(seconds=number)),
        )
    settings = vo.settings.model_copy(update={"tap_async_at_once": 3, "tap_async_per_user": 2})
    taken = [await store.claim(vo.pool, settings, f"process {number}", vo.clock()) for number in range(4)]
    names = [job.asker if job else None for job in taken]
    assert names == ["address 198.51.100.1", "address 198.51.100.2", "address 198.51.100.1", None]
    for path in paths:
        await vo.pool.execute("DELETE FROM tap_job WHERE job_id = $1", path.rsplit("/", 1)[-1])


async def test_nobody_has_more_jobs_than_they_may(vo: House):
    client = as_program(vo, address="198.51.100.3")
    state = vo.app.state.web
    state.settings = vo.settings.model_copy(update={"tap_jobs_per_user": 1})
    await create(client)
    answer = await client.post("/tap/async", data=QUERY)
    assert answer.status_code == 503
    assert "Delete" in answer.text


async def test_uploads_that_wait_count(vo: House):
    client = as_program(vo, address="198.51.100.4")
    vo.app.state.web.settings = vo.settings.model_copy(update={"tap_user_size": 1})
    answers = [
        await client.post("/tap/async", data=QUERY, files={"up": ("up.csv", b"x" * 600_000, "text/csv")})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [303, 413]


async def test_uploads_wait_with_their_job(vo: House, tmp_path: Path):
    lea = as_program(vo, "lea")
    table = b"ra,dec,label\n10.0,-30.0,one\n20.0,-31.0,two\n"
    answer = await lea.post(
        "/tap/async",
        data={**QUERY, "QUERY": "SELECT label FROM TAP_UPLOAD.mine", "UPLOAD": "mine,param:up"},
        files={"up": ("up.csv", table, "text/csv")},
    )
    path = answer.headers["location"].removeprefix("http://paws")
    assert await run(lea, path) == "COMPLETED"
    assert (await lea.get(f"{path}/results/result")).text.split() == ["label", "one", "two"]
