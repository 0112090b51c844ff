from __future__ import annotations

from math import degrees

import pytest
from astropy.io import fits

from simulator.headers import apparent_place, pointing_at, primary_header
from simulator.observe import Observatory
from simulator.plan import FrameClass, plan_night
from simulator.tables import fibre_table

PLAN = plan_night("20260312", fields=2, exposures=1, biases=1, darks=1, twilight=True)

# Keywords of a real frame that every raw frame must have.
EVERY = [
    "DCT_DATE",
    "DCT_VER",
    "DETECXE",
    "DETECXS",
    "DETECYE",
    "DETECYS",
    "FIRMVSYS",
    "FIRMVSEQ",
    "DETECTOR",
    "XPIXSIZE",
    "YPIXSIZE",
    "CONFIGID",
    "DETECTID",
    "ABCKPLID",
    "VIDPBID",
    "CLKPBID",
    "BRDID_1",
    "BRDSN_1",
    "METHOD",
    "SPEED",
    "READAMP",
    "EXPOSED",
    "ELAPSED",
    "TOTALEXP",
    "RO_GAIN",
    "RO_NOISE",
    "ORIGIN",
    "TELESCOP",
    "ALT_OBS",
    "LAT_OBS",
    "LONG_OBS",
    "RCT_VER",
    "RCT_DATE",
    "OBJECT",
    "RUNCMD",
    "RADECSYS",
    "EQUINOX",
    "INSTRUME",
    "AAOPRGID",
    "SPECTID",
    "SFILT1",
    "SFILT2",
    "TILTSPAT",
    "TILTSPEC",
    "PISTON",
    "GRATID",
    "GRATTILT",
    "GRATLPMM",
    "ORDER",
    "DISPENC",
    "CAMENC",
    "GRATANGL",
    "CAMANGL",
    "LAMBDAC",
    "LAMBDAB",
    "DISPERS",
    "GRATANGR",
    "CAMANGR",
    "LAMBDCR",
    "LAMBDBR",
    "TDFCTVER",
    "TDFCTDAT",
    "AAOMOSFT",
    "NDFCLASS",
    "CFG_FILE",
    "PARKMASK",
    "TDFCTEVT",
    "DUMMY",
    "FLAPS",
    "RUN",
    "OBSNUM",
    "GRPNUM",
    "GRPMEM",
    "GRPMAX",
    "OBSTYPE",
    "UTDATE",
    "EPOCH",
    "UTSTART",
    "UTEND",
    "STSTART",
    "STEND",
    "UTMJD",
    "TOPEND",
    "AXIS",
    "AXIS_X",
    "AXIS_Y",
    "TRACKING",
    "TELFOC",
    "MEANRA",
    "MEANDEC",
    "TEL_PA",
    "HASTART",
    "HAEND",
    "ZDSTART",
    "ZDEND",
    "APPRA",
    "APPDEC",
    "WINDOW",
    "HARTMANA",
    "HARTMANB",
    "SOURCE",
    "DICHROIC",
    "SPECTEMP",
    "WINDOXS1",
    "WINDOXE1",
    "WINDOYS1",
    "WINDOYE1",
    "WINDOXS2",
    "WINDOXE2",
    "WINDOYS2",
    "WINDOYE2",
    "XEFFSIZE",
    "YEFFSIZE",
    "FILEORIG",
]
FIBRE_KEYS = [
    "CENRA",
    "CENDEC",
    "CENEQNX",
    "APPRA",
    "APPDEC",
    "APPEPOCH",
    "CONFMJD",
    "ACTMJD",
    "ATMPRES",
    "ATMRHUM",
    "ATMTEMP",
    "MIRRTEMP",
    "DOMETEMP",
    "SP1WLEN",
    "SP2WLEN",
    "GUIWLEN",
    "TELMA",
    "TELME",
    "TELNP",
    "TELCH",
    "ADC_A",
    "ADC_B",
    "TELPAR01",
    "TELPAR20",
    "TWKOBMAX",
    "TWKOBAVE",
    "TWKGUMAX",
    "TWKGUAVE",
    "TWKINTER",
    "WLNSUSD",
    "UNAL-OBJ",
    "UNAL-GUI",
    "UNAL-SKY",
    "ALLOCOBJ",
    "ALLOCGUI",
    "ALLOCSKY",
    "TWKODUR",
    "ACTUTC",
    "LABEL",
    "PROGID",
    "MODE",
    "FILENAME",
    "TWKMODE",
    "EXTLEVEL",
    "PAD1",
]


@pytest.mark.parametrize("arm", ["blue", "red"])
@pytest.mark.parametrize("index", range(len(PLAN)))
def test_every_keyword_of_a_real_frame_is_there(index: int, arm: str) -> None:
    header = primary_header(PLAN, PLAN[index], arm)
    assert [name for name in EVERY if name not in header] == []
    assert len(header.tostring()) % 2880 == 0
    assert header["FILEORIG"].endswith(str(PLAN[index].paths[arm]))
    assert header["RUN"] == header["OBSNUM"] == header["GRPNUM"] == index + 1


def test_arms_differ_where_they_should() -> None:
    blue, red = (primary_header(PLAN, PLAN[-1], arm) for arm in ("blue", "red"))
    assert (blue["SPECTID"], red["SPECTID"]) == ("BL", "RD")
    assert (blue["DETECTOR"], red["DETECTOR"]) == ("E2V2A", "E2V3A")
    assert (blue["RO_GAIN"], red["RO_GAIN"]) == (1.88, 1.99)
    assert (blue["GRATID"], red["GRATLPMM"]) == ("580V", 383.0)
    for same in ("RUN", "UTSTART", "CFG_FILE", "SOURCE", "OBJECT", "EXPOSED", "MEANRA"):
        assert blue[same] == red[same]


@pytest.mark.parametrize(
    ("frame_class", "obstype", "runcmd", "flaps"),
    [
        (FrameClass.BIAS, "BIAS", "BIAS", "OPEN"),
        (FrameClass.DARK, "DARK", "DARK", "OPEN"),
        (FrameClass.FLAT, "FLAT", "FLAT", "CLOSED"),
        (FrameClass.ARC, "ARC", "ARC", "CLOSED"),
        (FrameClass.SKY, "SKY", "SKY", "OPEN"),
        (FrameClass.OBJECT, "OBJECT", "RUN", "OPEN"),
    ],
)
def test_classes_say_what_they_are(frame_class: FrameClass, obstype: str, runcmd: str, flaps: str) -> None:
    exposure = next(each for each in PLAN if each.frame_class is frame_class)
    header = primary_header(PLAN, exposure, "red")
    assert (header["NDFCLASS"], header["OBSTYPE"], header["RUNCMD"]) == (frame_class.value, obstype, runcmd)
    assert header["FLAPS"] == flaps
    assert ("LAMPNAME" in header) == (frame_class is FrameClass.ARC)
    assert (header["CFG_FILE"] == "NONE") == (exposure.field is None)


def test_fields_are_observed_high_in_the_sky() -> None:
    for exposure in PLAN:
        place = pointing_at(exposure, exposure.start)
        assert 0 <= place.zenith_distance < 50
        assert 1.0 <= place.airmass < 1.6


def test_apparent_place_agrees_with_a_real_frame() -> None:
    """MEANRA 35.4986, MEANDEC -28.7494 at MJD 57373.56: APPRA 0.622690, APPDEC -0.500575."""
    ra, dec = apparent_place(35.4986256735915, -28.7494049821735, 57373.5592960397)
    # Precession alone: nutation and aberration, which it leaves out, reach 30 arcsec.
    assert ra == pytest.approx(0.622689622404685, abs=1.5e-4)
    assert dec == pytest.approx(-0.50057503743312, abs=1.5e-4)


def test_fibre_table_is_that_of_the_configuration() -> None:
    observatory = Observatory(PLAN)
    exposure = PLAN[-1]
    assert exposure.field is not None
    targets = observatory.targets[exposure.field.number]
    table = fibre_table(targets, observatory.slits[exposure.plate], exposure)
    assert [name for name in FIBRE_KEYS if name not in table.header] == []
    assert table.header["NAXIS1"] == 245
    forms = [column.format for column in table.columns]
    assert forms == [
        "80A",
        "D",
        "D",
        "J",
        "J",
        "I",
        "I",
        "D",
        "A",
        "I",
        "D",
        "J",
        "80A",
        "10A",
        "D",
        "D",
        "D",
    ] or forms == (
        [
            "80A",
            "1D",
            "1D",
            "1J",
            "1J",
            "1I",
            "1I",
            "1D",
            "1A",
            "1I",
            "1D",
            "1J",
            "80A",
            "10A",
            "1D",
            "1D",
            "1D",
        ]
    )
    data = table.data
    assert len(data) == 400
    assert abs(degrees(data["RA"].mean()) - exposure.field.centre_ra) < 0.2
    assert table.header["ALLOCSKY"] == (data["TYPE"] == "S").sum() == 25
    assert table.header["ALLOCGUI"] == (data["TYPE"] == "F").sum() == 8
    assert table.header["ALLOCOBJ"] == (data["TYPE"] == "P").sum() > 300
    assert set(data["PIVOT"][data["TYPE"] == "F"]) == {50 * k for k in range(1, 9)}
    assert len(set(data["RETRACTOR"])) == 40
    assert isinstance(table, fits.BinTableHDU)
