"""What the registry harvests, and what services say of themselves."""

from __future__ import annotations

import asyncio
import subprocess
import zipfile
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

OAI = "{http://www.openarchives.org/OAI/2.0/}"
RI = "{http://www.ivoa.net/xml/RegistryInterface/v1.0}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
CS = "{http://www.ivoa.net/xml/ConeSearch/v1.0}"
SERVICES = ("/ssa", "/scs", "/datalink", "/soda")
NAMES = ("registry", "", "org", "tap", "ssa", "scs", "datalink", "soda")

STILTS_JAR = Path("/usr/share/java/starlink-ttools.jar")
SCHEMAS = {
    "http://www.ivoa.net/xml/VOResource/v1.0": "VOResource-v1.1.xsd",
    "http://www.ivoa.net/xml/VODataService/v1.1": "VODataService-v1.2.xsd",
    "http://www.ivoa.net/xml/TAPRegExt/v1.0": "TAPRegExt-v1.0-Erratum1.xsd",
    "http://www.ivoa.net/xml/STC/stc-v1.30.xsd": "stc-v1.30.xsd",
    "http://www.w3.org/1999/xlink": "xlink.xsd",
}
WRAPPER = """<?xml version="1.0"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0"
  targetNamespace="http://www.ivoa.net/xml/RegistryInterface/v1.0" elementFormDefault="unqualified">
  <xs:import namespace="http://www.ivoa.net/xml/VOResource/v1.0" schemaLocation="VOResource-v1.1.xsd"/>
  <xs:import namespace="http://www.ivoa.net/xml/VODataService/v1.1" schemaLocation="VODataService-v1.2.xsd"/>
  <xs:import namespace="http://www.ivoa.net/xml/TAPRegExt/v1.0" schemaLocation="TAPRegExt-v1.0-Erratum1.xsd"/>
  <xs:import namespace="http://www.ivoa.net/xml/ConeSearch/v1.0" schemaLocation="cone.xsd"/>
  <xs:element name="Resource" type="vr:Resource"/>
</xs:schema>
"""
CONE = """<?xml version="1.0"?>
<!-- What Simple DAL Registry Extensions 1.1 say of the capability of a cone search, which STILTS does not bring. -->
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0"
  xmlns:cs="http://www.ivoa.net/xml/ConeSearch/v1.0"
  targetNamespace="http://www.ivoa.net/xml/ConeSearch/v1.0" elementFormDefault="unqualified">
  <xs:import namespace="http://www.ivoa.net/xml/VOResource/v1.0" schemaLocation="VOResource-v1.1.xsd"/>
  <xs:complexType name="ConeSearch"><xs:complexContent><xs:extension base="vr:Capability"><xs:sequence>
    <xs:element name="maxSR" type="xs:float" minOccurs="0"/>
    <xs:element name="maxRecords" type="xs:positiveInteger" minOccurs="0"/>
    <xs:element name="verbosity" type="xs:boolean"/>
    <xs:element name="testQuery" type="cs:Query" minOccurs="0"/>
  </xs:sequence></xs:extension></xs:complexContent></xs:complexType>
  <xs:complexType name="Query"><xs:sequence>
    <xs:element name="ra" type="xs:double"/>
    <xs:element name="dec" type="xs:double"/>
    <xs:element name="sr" type="xs:double"/>
    <xs:element name="verb" type="xs:positiveInteger" minOccurs="0"/>
    <xs:element name="catalog" type="xs:string" minOccurs="0"/>
    <xs:element name="extras" type="xs:string" minOccurs="0"/>
  </xs:sequence></xs:complexType>
</xs:schema>
"""


async def oai(client, **arguments):
    answer = await client.get("/oai", params=arguments)
    assert answer.status_code == 200
    return ElementTree.fromstring(answer.content)


def identifier(name):
    return "ivo://paws.local" + (f"/{name}" if name else "")


async def test_the_registry_names_itself(client):
    found = (await oai(client, verb="Identify")).find(f"{OAI}Identify")
    assert found is not None
    assert found.findtext(f"{OAI}protocolVersion") == "2.0"
    resource = found.find(f"{OAI}description/{RI}Resource")
    assert resource is not None
    assert resource.get(f"{XSI}type") == "vg:Registry"
    assert resource.findtext("managedAuthority") == "paws.local"
    assert resource.find("capability/interface/accessURL").text == "http://paws/oai"


@pytest.mark.parametrize("path", ["/oai", "/registry.xml"])
async def test_other_methods_are_refused_without_a_page(client, path):
    answer = await client.request("PATCH", path)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert answer.headers["content-type"].startswith("application/x-votable+xml")


async def test_all_records_are_listed_and_each_can_be_had(client):
    listed = await oai(client, verb="ListRecords", metadataPrefix="ivo_vor", set="ivo_managed")
    resources = listed.findall(f".//{RI}Resource")
    assert [one.findtext("identifier") for one in resources] == [identifier(name) for name in NAMES]
    heads = await oai(client, verb="ListIdentifiers", metadataPrefix="ivo_vor")
    assert [one.text for one in heads.iter(f"{OAI}identifier")] == [identifier(name) for name in NAMES]
    for name, resource in zip(NAMES, resources, strict=True):
        one = await oai(client, verb="GetRecord", metadataPrefix="ivo_vor", identifier=identifier(name))
        found = one.find(f".//{RI}Resource")
        assert ElementTree.tostring(found) == ElementTree.tostring(resource)
    dublin = await oai(client, verb="ListRecords", metadataPrefix="oai_dc")
    titles = [one.text for one in dublin.iter("{http://purl.org/dc/elements/1.1/}title")]
    assert len(titles) == len(NAMES)
    assert all(titles)


async def test_tables_stand_in_the_record_of_tap(client):
    answer = await client.get("/registry.xml")
    resources = {
        one.findtext("identifier"): one
        for one in ElementTree.fromstring(answer.content).iter(f"{RI}Resource")
    }
    assert set(resources) == {identifier(name) for name in NAMES}
    tap = resources["ivo://paws.local/tap"]
    tables = {one.findtext("name") for one in tap.iterfind("tableset/schema/table")}
    assert {"ivoa.obscore", "ssap.spectra"} <= tables
    standards = {one.get("standardID") for one in tap.iterfind("capability")}
    assert "ivo://ivoa.net/std/TAP" in standards


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({}, "badVerb"),
        ({"verb": "Drop"}, "badVerb"),
        ({"verb": ["Identify", "ListSets"]}, "badVerb"),
        ({"verb": "Identify", "more": "x"}, "badArgument"),
        ({"verb": "ListRecords"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "marc"}, "cannotDisseminateFormat"),
        ({"verb": "ListRecords", "metadataPrefix": "ivo_vor", "from": "yesterday"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "ivo_vor", "from": "2026-13-01"}, "badArgument"),
        ({"verb": "ListRecords", "metadataPrefix": "ivo_vor", "from": "2999-01-01"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "metadataPrefix": "ivo_vor", "until": "2001-01-01"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "metadataPrefix": "ivo_vor", "set": "others"}, "noRecordsMatch"),
        ({"verb": "ListRecords", "resumptionToken": "<&>"}, "badResumptionToken"),
        ({"verb": "GetRecord", "metadataPrefix": "ivo_vor", "identifier": "ivo://x/<y>"}, "idDoesNotExist"),
        ({"verb": "ListMetadataFormats", "identifier": "ivo://x/y"}, "idDoesNotExist"),
        (
            {"verb": "ListRecords", "metadataPrefix": "ivo_vor", "from": "2026-01-02", "until": "2026-01-01"},
            "badArgument",
        ),
    ],
)
async def test_mistakes_of_harvesters_are_told_by_their_code(client, arguments, code):
    (error,) = (await oai(client, **arguments)).iter(f"{OAI}error")
    assert error.get("code") == code


async def test_harvesters_may_post_and_ask_by_date(client):
    answer = await client.post("/oai", data={"verb": "ListSets"})
    assert b"ivo_managed" in answer.content
    found = await oai(client, verb="ListIdentifiers", metadataPrefix="ivo_vor", **{"from": "2026-01-01"})
    assert len(list(found.iter(f"{OAI}header"))) == len(NAMES)


@pytest.mark.parametrize("service", SERVICES)
async def test_services_tell_what_they_can_and_that_they_are_there(client, service):
    found = ElementTree.fromstring((await client.get(f"{service}/capabilities")).content)
    standards = [one.get("standardID") for one in found.iterfind("capability")]
    assert "ivo://ivoa.net/std/VOSI#availability" in standards
    for address in found.iterfind("capability/interface/accessURL"):
        answer = await client.get(address.text, params={"MAXREC": "0", "REQUEST": "queryData"})
        assert answer.status_code in (200, 400), address.text
        assert answer.headers["content-type"].split(";")[0] in ("text/xml", "application/x-votable+xml")
    now = await client.get(f"{service}/availability")
    assert b"<vosi:available>true<" in now.content


async def test_the_test_query_of_the_cone_search_finds_something(client):
    found = ElementTree.fromstring((await client.get("/scs/capabilities")).content)
    (query,) = found.iter("testQuery")
    asked = {part.tag: part.text for part in query}
    address = f"{found.findtext('capability/interface/accessURL')}{asked.pop('extras')}&{urlencode(asked)}"
    answer = await client.get(address)
    assert answer.text.count("<TR>") == 1, answer.text


@pytest.mark.skipif(not STILTS_JAR.exists(), reason="stilts is not installed")
async def test_records_are_valid_by_their_schemas(client, tmp_path):
    """Those whose schemas STILTS brings (VOResource, VODataService, TAPRegExt), and the cone search's."""
    with zipfile.ZipFile(STILTS_JAR) as jar:
        for member in jar.namelist():
            if member.endswith(".xsd"):
                (tmp_path / Path(member).name).write_bytes(jar.read(member))
    wrapper = tmp_path / "ri.xsd"
    wrapper.write_text(WRAPPER)
    (tmp_path / "cone.xsd").write_text(CONE)
    for name in ("tap", "scs", "datalink"):
        answer = await client.get(
            "/oai", params={"verb": "GetRecord", "metadataPrefix": "ivo_vor", "identifier": identifier(name)}
        )
        start, end = answer.text.index("<ri:Resource"), answer.text.index("</ri:Resource>")
        record = answer.text[start:end] + "</ri:Resource>"
        assert await validated(record, tmp_path) == (0, "")
    code, told = await validated(
        record.replace("<curation>", "<curator>").replace("</curation>", "</curator>"), tmp_path
    )
    assert code != 0
    assert "curator" in told, "the check can fail"


async def validated(record, folder):
    """Code and complaints of the validator."""
    document = folder / "record.xml"
    document.write_text(record)
    command = (
        *("stilts", "xsdvalidate", f"doc={document}"),
        f"schemaloc={RI[1:-1]}={folder / 'ri.xsd'}",
        f"schemaloc={CS[1:-1]}={folder / 'cone.xsd'}",
        *(f"schemaloc={space}={folder / name}" for space, name in SCHEMAS.items()),
    )
    found = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=180, check=False
    )
    return found.returncode, "".join(line for line in found.stdout.splitlines() if "ERROR" in line)
