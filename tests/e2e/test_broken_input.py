"""Files that are no frames, dropped among those that are: named, explained, and the night goes on."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest
from astropy.io import fits

from tests.support.live import paws, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def raw_frames(tmp_path_factory):
    """Raw frames of a small night, by run and arm."""
    out = tmp_path_factory.mktemp("frames")
    command = [
        sys.executable,
        "-m",
        "simulator",
        str(out),
        "--date",
        "20260312",
        "--fields",
        "1",
        "--exposures",
        "1",
    ]
    subprocess.run(
        [*command, "--biases", "2", "--darks", "0", "--seed", "3"], check=True, capture_output=True
    )
    return out


def break_frames(good, folder):
    """Write one file of every defect; the words that its rejection must say, by file name."""
    ccd = folder / "260312" / "ccd_1"
    ccd.mkdir(parents=True)
    bias = min((good / "260312" / "ccd_1").glob("*.fits"))
    content = bias.read_bytes()
    science = max((good / "260312" / "ccd_1").glob("*.fits"))

    def edited(name, change, source=bias):
        shutil.copy(source, ccd / f".{name}")
        with fits.open(ccd / f".{name}", mode="update") as hdus:
            change(hdus[0].header)
        (ccd / f".{name}").rename(ccd / name)

    (ccd / "12mar10901.fits").write_bytes(content[: len(content) // 2 // 2880 * 2880])
    (ccd / "12mar10902.fits").write_bytes(b"")
    (ccd / "12mar10903.fits").write_bytes(b"not FITS at all\n" * 1000)
    edited("12mar10904.fits", lambda header: header.remove("GRATID"), science)
    edited("12mar10905.fits", lambda header: header.set("EXPOSED", "NaN"))
    edited("12mar10906.fits", lambda header: header.set("INSTRUME", "HERMES-2dF"))
    small = fits.PrimaryHDU(fits.getdata(bias)[:1000, :1000], fits.getheader(bias))
    small.writeto(ccd / "12mar10907.fits", output_verify="ignore")
    return {
        "12mar10901.fits": "trunc",
        "12mar10902.fits": "empty",
        "12mar10903.fits": "fits",
        "12mar10904.fits": "gratid",
        "12mar10905.fits": "exposed",
        "12mar10906.fits": "hermes",
        "12mar10907.fits": "2070",
    }


def test_broken_files_are_rejected_with_reasons_and_the_night_goes_on(raw_frames, folder):
    raw, data = folder / "raw", folder / "data"
    expected = break_frames(raw_frames, raw)
    environment = {"PAWS_INGEST_GROWTH_DEADLINE": "3"}
    with paws(["up", "--raw", str(raw), "--data", str(data), "--port", "0"], data, environment) as running:
        running.ready()
        shutil.copytree(raw_frames, raw, dirs_exist_ok=True)
        # The same name with other content, after the frame itself.
        wait_until(
            "the biases are accepted",
            lambda: running.query("SELECT count(*) AS n FROM frame WHERE frame_class = 'BIAS'")[0]["n"] == 4,
        )
        bias = min((raw / "260312" / "ccd_1").glob("12mar1000*.fits"))
        with fits.open(bias) as hdus:
            hdus[0].data[2000, 1000] += 1
            hdus.writeto(bias.with_name(".changed"))
        bias.with_name(".changed").rename(bias)
        expected[bias.name] = "name"

        def rejected():
            rows = running.query("SELECT name, reason, path FROM rejected_file WHERE resolved_at IS NULL")
            return {row["name"]: row for row in rows} if len(rows) >= len(expected) else None

        found = wait_until("all broken files are rejected", rejected)
        assert set(found) == set(expected)
        for name, word in expected.items():
            assert word in found[name]["reason"].lower(), (name, found[name]["reason"])
            assert (raw / "260312" / "ccd_1" / name).exists(), "a rejected file is kept where it is"
        wait_until(
            "the science frames are reduced",
            lambda: (
                running.query(
                    "SELECT count(*) AS n FROM frame_status WHERE frame_class = 'MFOBJECT' AND state = 'reduced'"
                )[0]["n"]
                == 2
            ),
        )
        # A file that was copied badly is looked at again when it changes.
        whole = max((raw_frames / "260312" / "ccd_1").glob("*.fits"))
        (raw / "260312" / "ccd_1" / ".again").write_bytes(whole.read_bytes())
        (raw / "260312" / "ccd_1" / ".again").rename(raw / "260312" / "ccd_1" / "12mar10902.fits")
        wait_until(
            "the mended file is accepted",
            lambda: running.query("SELECT 1 FROM frame WHERE name = '12mar10902.fits'"),
        )
