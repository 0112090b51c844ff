"""Signal for the half-reduced night of the pages' tests: the same targets in every exposure of a field, and figures."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from paws.database import Connection
from tests.support.night_rows import NightRows

TARGETS: Final = 120
LIGHT: Final = {8: 1.0, 9: 0.55, 10: 0.9, 12: 1.0}
"""How much light each science exposure got."""


async def write_signal(connection: Connection, rows: NightRows) -> None:
    """Give the science products spectra of 120 targets, with flux, and the figures that an engine measures."""
    products = await connection.fetch(
        "SELECT product_id, run, arm, field FROM product WHERE kind = 'object' AND current ORDER BY run, arm"
    )
    for product in products:
        run, arm = product["run"], product["arm"]
        seconds = float(rows.frames[run, arm].exposed)
        await connection.execute("DELETE FROM spectrum WHERE product_id = $1", product["product_id"])
        await connection.executemany(
            "INSERT INTO spectrum (product_id, fibre, target_name, fibre_type, ra, dec, magnitude, signal_to_noise,"
            " flux) VALUES ($1, $2, $3, 'P', 35.0, -28.0, $4, $5, $6)",
            [(product["product_id"], *row) for row in targets(product["field"], run, arm, seconds)],
        )
        await connection.execute(
            "UPDATE product SET quality = quality || $2 WHERE product_id = $1",
            product["product_id"],
            figures(run, arm),
        )
    await connection.execute(
        "UPDATE product SET quality = quality || $1 WHERE kind = 'arc'",
        {"arc_rms_pixels": 0.021, "arc_lines": 41},
    )


def targets(field: str, run: int, arm: str, seconds: float) -> list[tuple[Any, ...]]:
    """Fibre, name, magnitude, S/N and flux of each target: S/N of 2 at 20 mag in 1200 s of full light."""
    random = np.random.default_rng(len(field))
    magnitude = random.uniform(17.0, 20.8, TARGETS)
    noise = np.random.default_rng(run).lognormal(0, 0.05, TARGETS)
    light = LIGHT.get(run, 1.0)
    flux = 10 ** (-0.4 * (magnitude - 26.0)) * seconds * light * noise
    snr = 2.0 * 10 ** (-0.3 * (magnitude - 20.0)) * np.sqrt(seconds / 1200.0) * light * noise
    if arm == "blue":
        snr *= 0.8
    return [
        (
            number + 1,
            f"{field}-{number:03d}",
            float(magnitude[number]),
            float(snr[number]),
            float(flux[number]),
        )
        for number in range(TARGETS)
    ]


def figures(run: int, arm: str) -> dict[str, float]:
    """What an engine measures of a science frame. Run 12 drifted in its red arm."""
    return {
        "sky_residual_noise": 0.97,
        "drift": 0.9 if (run, arm) == (12, "red") else 0.12,
        "wavelength_drift": 0.03,
        "profile_fwhm": 3.82,
        "traces_found": 386,
        "saturated_fraction": 0.0,
        "bad_fraction": 0.001,
        "scattered_light": 1.8,
    }
