"""What is declared of our own tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from astropy import units
from astropy.io.votable.ucd import parse_ucd

from adql.catalogue import Catalogue, Column, Table
from adql.words import quoted
from paws.vo.declared.all import DECLARED
from paws.vo.declared.obscore import IVOA
from paws.vo.declared.reference import reference_page
from paws.vo.declared.values import DeclaredTable, relation_for

TABLES = {table.name: table for schema in DECLARED for table in schema.tables}

MANDATORY = [
    "dataproduct_type",
    "calib_level",
    "obs_collection",
    "obs_id",
    "obs_publisher_did",
    "access_url",
    "access_format",
    "access_estsize",
    "target_name",
    "s_ra",
    "s_dec",
    "s_fov",
    "s_region",
    "s_resolution",
    "s_xel1",
    "s_xel2",
    "t_min",
    "t_max",
    "t_exptime",
    "t_resolution",
    "t_xel",
    "em_min",
    "em_max",
    "em_res_power",
    "em_xel",
    "o_ucd",
    "pol_states",
    "pol_xel",
    "facility_name",
    "instrument_name",
]


def columns() -> Iterator[tuple[DeclaredTable, Column]]:
    for table in TABLES.values():
        for column in table.columns:
            yield table, column


def test_obscore_has_its_thirty_mandatory_columns():
    assert len(MANDATORY) == 30
    table = IVOA.tables[0]
    for name in MANDATORY:
        column = table.column(name)
        assert column.std, name
        assert column.principal, name
        assert (column.utype or "").startswith("obscore:"), name
        assert column.ucd, name
    with pytest.raises(KeyError, match="no column 'nothing'"):
        table.column("nothing")


def test_every_column_is_described_once_and_means_something():
    for table, column in columns():
        where = (table.name, column.name)
        assert column.description, where
        assert not column.description.endswith("."), where
        if column.ucd is not None:
            parse_ucd(column.ucd, check_controlled_vocabulary=True)
        if column.unit not in (None, "Angstrom"):  # which VOUnits 1.1 deprecates, and everybody uses
            units.Unit(column.unit, format="vounit")
    for table in TABLES.values():
        assert len({column.name for column in table.columns}) == len(table.columns), table.name
        assert table.description.endswith("."), table.name


def test_keys_and_positions_lead_to_columns_that_are_there():
    for table in TABLES.values():
        for position in table.positions:
            for name in (position.ra, position.dec):
                assert table.column(name).indexed, (table.name, name)
                assert table.column(name).unit == "deg", (table.name, name)
        for key in table.keys:
            for here, there in key.columns:
                one, other = table.column(here), TABLES[key.target_table].column(there)
                assert one.datatype == other.datatype, (table.name, here)


def test_a_catalogue_can_be_made_of_them():
    catalogue = Catalogue(
        Table(table.name, table.columns, relation_for(table.relation, table.sight), table.positions)
        for table in TABLES.values()
    )
    assert len(catalogue) == len(TABLES)


@pytest.mark.parametrize("sight", ["frame", "product"])
def test_a_view_and_a_gathering_are_limited_alike(sight):
    view, gathered = (
        relation_for("vo.x", sight),
        relation_for("SELECT count(*) FROM vo.x AS r WHERE {seen}", sight),
    )
    condition = view.removeprefix("(SELECT r.* FROM vo.x AS r WHERE ").removesuffix(")")
    assert "$4::date" in condition
    assert gathered == f"(SELECT count(*) FROM vo.x AS r WHERE {condition})"
    assert relation_for("vo.x", None) == "vo.x"
    assert relation_for("SELECT 1 AS one", None) == "(SELECT 1 AS one)"


def test_what_counts_others_limits_what_it_counts():
    for table in TABLES.values():
        gathers = table.relation.startswith("SELECT") and table.sight is not None
        assert gathers == ("{seen}" in table.relation), table.name


def test_digests_differ_when_a_description_does():
    changed = IVOA.__class__(IVOA.name, "Something else.", IVOA.utype, IVOA.tables)
    assert changed.digest != IVOA.digest


def test_the_page_names_every_column():
    page = reference_page()
    for table, column in columns():
        if not table.name.startswith("TAP_SCHEMA"):
            assert f"| `{column.name}` |" in page, (table.name, column.name)


def test_no_name_of_ours_needs_quotes():
    for table, column in columns():
        if not table.name.startswith("TAP_SCHEMA"):  # where TAP 1.1 itself has "size"
            assert quoted(column.name) == column.name, (table.name, column.name)
