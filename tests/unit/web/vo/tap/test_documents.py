"""Documents of the service: whole, escaped, and with what the standards ask."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime

import pytest

import adql
from adql.catalogue import Catalogue, Column, Table
from adql.features import features
from paws.settings import load_settings
from paws.vo.declared.all import DECLARED
from paws.vo.jobs import Job
from paws.vo.uws import Phase
from web.vo.formats import FORMATS
from web.vo.tap.capabilities import capabilities_document
from web.vo.tap.examples import EXAMPLES, examples_document, examples_for
from web.vo.tap.job_documents import OWN, job_document, list_document
from web.vo.tap.tables import KeyFacts, SchemaFacts, Surroundings, tableset_document
from web.vo.xml import Markup, element, markup, plain

HOSTILE = "\"'<script>&]]>\x00\x1b\ud800"
NOW = datetime(2026, 3, 13, 2, 0, tzinfo=UTC)
JOB = Job(
    job_id="ab",
    account_id=1,
    asker="account 1",
    shares=(),
    base_url="http://paws",
    run_id=HOSTILE,
    parameters=(("QUERY", HOSTILE), ("LANG", "ADQL")),
    phase=Phase.PENDING,
    execution_duration=60,
    created_at=NOW,
    destruction=NOW,
)
UWS = "{http://www.ivoa.net/xml/UWS/v1.0}"


def test_what_is_no_markup_is_escaped():
    text = element("a", {"b": HOSTILE, "c": None}, HOSTILE, Markup("<d/>"), None)
    root = ElementTree.fromstring(text)
    assert root.text == root.get("b") == plain(HOSTILE)
    assert [child.tag for child in root] == ["d"]
    assert markup("<x>") == "&lt;x&gt;"


@pytest.mark.parametrize("phase", Phase)
def test_a_job_is_told_in_the_order_of_its_schema(phase):
    job = replace(JOB, phase=phase, error=HOSTILE if phase is Phase.ERROR else None, result_rows=7)
    root = ElementTree.fromstring(job_document(job, "http://paws/tap/async/ab", "lea"))
    names = [child.tag.removeprefix(UWS) for child in root]
    assert names == [
        *("jobId", "runId", "ownerId", "phase", "quote", "creationTime", "startTime", "endTime"),
        *("executionDuration", "destruction", "parameters", "results"),
        *(["errorSummary"] if phase is Phase.ERROR else []),
        *(["jobInfo"] if phase is Phase.COMPLETED else []),
    ]
    assert len(list(root.iter(f"{UWS}result"))) == (phase is Phase.COMPLETED)
    assert root.findtext(f"{UWS}jobInfo/{{{OWN}}}rows") == ("7" if phase is Phase.COMPLETED else None)


def test_a_list_leads_to_its_jobs():
    root = ElementTree.fromstring(list_document([JOB], "http://paws/tap/async", None))
    (job,) = root
    assert job.get("{http://www.w3.org/1999/xlink}href") == "http://paws/tap/async/ab"


@pytest.mark.parametrize("access", ["open", "accounts"])
def test_capabilities_tell_what_is_there(access):
    settings = load_settings(access=access, tap_maxrec=10, tap_maxrec_max=20)
    root = ElementTree.fromstring(
        capabilities_document(settings, "http://paws", ["ivoa.obscore"], features("cube"))
    )
    tap = root[0]
    assert tap.findtext("interface/accessURL") == "http://paws/tap"
    assert [model.text for model in tap.iter("dataModel")] == ["ObsCore-1.1"]
    assert [mime.text for mime in tap.iterfind("outputFormat/mime")] == [form.media_type for form in FORMATS]
    assert [tap.findtext(f"outputLimit/{name}") for name in ("default", "hard")] == ["10", "20"]
    methods = [method.get("standardID") for method in tap.iterfind("interface/securityMethod")]
    assert methods == ([] if access == "open" else [None, "ivo://ivoa.net/sso#BasicAA"])
    standards = {capability.get("standardID") for capability in root}
    assert {
        f"ivo://ivoa.net/std/VOSI#{name}" for name in ("capabilities", "availability", "tables-1.1")
    } < standards


def test_tables_are_told_with_keys_to_tables_that_are_seen():
    column = Column("size", "float", unit="deg", ucd="phys", description=HOSTILE, indexed=True)
    tables = [Table("a.one", (column,), "x", description=HOSTILE), Table("a.two", (column,), "y")]
    keys = [
        KeyFacts("a.two", (("size", "size"),), None, None),
        KeyFacts("b.hidden", (("x", "y"),), None, None),
    ]
    around = Surroundings(
        (SchemaFacts("a", None, None), SchemaFacts("b", None, None)),
        {"a.one": "a", "a.two": "a", "b.hidden": "b"},
        {},
        {"a.one": keys},
    )
    root = ElementTree.fromstring(tableset_document(tables, around))
    assert [schema.findtext("name") for schema in root] == ["a"]
    assert [name.text for name in root.iterfind("schema/table/name")] == ["a.one", "a.two"]
    # A reserved word is published as queries must write it.
    assert root.findtext("schema/table/column/name") == '"size"'
    assert [key.text for key in root.iter("targetTable")] == ["a.two"]
    assert b"hidden" not in tableset_document(tables, around)
    least = ElementTree.fromstring(tableset_document(tables, around, columns=False))
    assert not list(least.iter("column"))


def catalogue() -> Catalogue:
    declared = [
        Table(table.name, table.columns, f'"{table.name}"', table.positions)
        for schema in DECLARED
        for table in schema.tables
    ]
    mine = Table(
        "TAP_UPLOAD.mine", (Column("ra", "double", unit="deg"), Column("dec", "double", unit="deg")), "up"
    )
    return Catalogue([*declared, mine])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)
@pytest.mark.parametrize("backend", ["pgsphere", "cube"])
def test_examples_are_queries_of_our_tables(example, backend):
    compiled = adql.compile_query(example.query, catalogue(), backend, limit=10)
    assert {name.lower() for name in compiled.tables} == set(example.tables)


def test_examples_are_for_those_who_see_their_tables():
    assert [one.key for one in examples_for({"tap_schema.columns"})] == ["columns"]
    document = ElementTree.fromstring(examples_document({"ivoa.obscore"}, "http://paws"))
    queries = [one.text for one in document.iter() if one.get("property") == "query"]
    assert queries == [one.query for one in EXAMPLES if one.tables == ("ivoa.obscore",)]
