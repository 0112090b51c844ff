"""Figures of docs/explanation/quicklook.md: a simulated field, reduced by quicklook, beside its truth.

    pip install -e ".[docs]"
    python docs/explanation/figures.py [--work FOLDER] [--seed N] [OUT]

Simulator and reducer run as programs, as in `paws bench`; OUT is docs/pictures unless given. With ``--work`` the
frames stay in a folder, and a second run draws from them at once.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib import pyplot as plt
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from paws.bench.field import SPLICED, Arm, Reducer, opened, reduce_field, simulate

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

GRATINGS = "580V,385R"
SEED = 7
MOST_BYTES = 150_000

BLUE, RED, AMBER, TEXT, MUTED = "#5aa9e6", "#f28b6c", "#e3b341", "#dbe4ee", "#8b9bad"
PANEL, GRID = "#141b24", "#263241"
COLOURS = {"580V": BLUE, "385R": RED}

STYLE: dict[str, Any] = {
    "figure.facecolor": "#0d1218", "savefig.facecolor": "#0d1218", "axes.facecolor": PANEL,
    "axes.edgecolor": GRID, "axes.labelcolor": TEXT, "axes.titlecolor": TEXT, "text.color": TEXT,
    "xtick.color": MUTED, "ytick.color": MUTED, "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 10, "axes.titlelocation": "left",
    "axes.labelsize": 9.5, "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "legend.fontsize": 8.5,
    "legend.frameon": False, "font.family": "DejaVu Sans", "figure.dpi": 110,
}  # fmt: skip

EMISSION = (
    (3727.4, "[O II]"), (4861.3, "Hβ"), (4958.9, "[O III]"), (5006.8, ""), (6562.8, "Hα"), (6583.5, "[N II]"),
    (6724.0, "[S II]"),
)  # fmt: skip
"""Rest wavelengths in air [Angstrom]; close doublets at their mean."""

FAINTER = 19.0
"""The galaxy that is drawn is no brighter than this: a typical target, whose noise can be seen [mag]."""


def main() -> None:
    """Simulate, reduce, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", nargs="?", type=Path, default=Path(__file__).parents[1] / "pictures")
    parser.add_argument("--work", type=Path, help="keep the frames in this folder")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    with ExitStack() as stack:
        root = options.work or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="paws-figures-")))
        root = root.resolve()
        root.mkdir(parents=True, exist_ok=True)
        options.out.mkdir(parents=True, exist_ok=True)
        arms = field(root, options.seed)
        truth = root / "truth"
        plt.style.use(STYLE)
        figures = {
            "residuals": residual_maps(arms, truth),
            "pulls": pulls(arms, truth),
            "slit": along_the_slit(arms, truth),
            "profile": profiles(arms),
            "sky": sky_residuals(arms[1]),
            "spliced": spliced(arms, truth),
        }
        for name, figure in figures.items():
            save(figure, options.out / f"quicklook-{name}.png")


def field(root: Path, seed: int) -> list[Arm]:
    """A field of two exposures, reduced and spliced; or what an earlier run left of it."""
    kept = root / f"arms-{seed}.json"
    if kept.exists():
        return [Arm(Path(a.pop("folder")), **a) for a in json.loads(kept.read_text())]
    night = simulate(root, GRATINGS, seed, 2, truth=True)
    with Reducer() as reducer:
        arms = reduce_field(
            reducer, night, dict(zip(("blue", "red"), GRATINGS.split(","), strict=True)), keep=True
        )
    table = [
        {"folder": str(a.folder), "grating": a.grating, "flat": a.flat, "arc": a.arc, "science": a.science}
        for a in arms
    ]
    kept.write_text(json.dumps(table))
    return arms


def true_values(truth: Path, name: str) -> dict[str, FloatArray]:
    """What the simulator put into a frame."""
    with np.load(truth / f"{name}.npz") as stored:
        return {key: stored[key] for key in stored.files}


def extracted(arm: Arm, truth: Path) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Pulls (extracted minus true over sigma) of the first exposure, true light, and which fibres are lit."""
    true = true_values(truth, arm.science[0])
    with opened(arm.folder / f"{arm.science[0]}ex.fits") as ex:
        flux, variance = (ex[i].data.astype(np.float64) for i in (0, "VARIANCE"))
    with np.errstate(invalid="ignore"):
        pull = (flux - true["electrons"]) / np.sqrt(variance)
    return pull, true["electrons"].astype(np.float64), true["throughput"] > 0


def residual_maps(arms: list[Arm], truth: Path) -> Figure:
    """Pulls over the chip, 8 columns and 2 fibres averaged: anything that photons do not do shows as a pattern."""
    figure, axes = plt.subplots(2, 1, figsize=(8.6, 6.4), sharex=True, layout="constrained")
    colours = ["#5aa9e6", "#3f78a8", "#2c4d69", "#1c2833", "#1c2833", "#6b4136", "#a55f4b", "#f28b6c"]
    norm = BoundaryNorm(np.arange(-4, 5), len(colours))
    for axis, arm in zip(axes, arms, strict=True):
        pull, _, lit = extracted(arm, truth)
        blocks = np.where(lit[:, None], pull, np.nan).reshape(200, 2, 256, 8)
        cells = blocks.transpose(0, 2, 1, 3).reshape(200, 256, 16)
        count = np.isfinite(cells).sum(axis=2)
        mean = np.where(count > 0, np.nansum(cells, axis=2) / np.sqrt(np.maximum(count, 1)), np.nan)
        picture = axis.imshow(
            mean, norm=norm, cmap=ListedColormap(colours), aspect="auto", origin="lower", interpolation="nearest",
            extent=(0, 2048, 0.5, 400.5),
        )  # fmt: skip
        axis.grid(visible=False)
        axis.set(
            ylabel="fibre", title=f"{arm.grating}: (extracted − true) / σ, cells of 8 columns × 2 fibres"
        )
    axes[1].set_xlabel("column")
    figure.colorbar(picture, ax=axes, shrink=0.6, label="σ of the cell's mean", ticks=[-4, -2, 0, 2, 4])
    return figure


def pulls(arms: list[Arm], truth: Path) -> Figure:
    """Distribution of the pulls, and how they go with the light."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7), layout="constrained")
    edges = np.linspace(-6, 6, 97)
    middle = 0.5 * (edges[1:] + edges[:-1])
    left.plot(
        middle, np.exp(-0.5 * middle**2) / np.sqrt(2 * np.pi), color=TEXT, lw=1, ls="--", label="normal"
    )
    levels = np.geomspace(10, 3000, 13)
    for arm in arms:
        pull, light, lit = extracted(arm, truth)
        good = np.isfinite(pull) & lit[:, None]
        core = good & (np.abs(pull) < 6)
        label = f"{arm.grating}: mean {pull[core].mean():+.3f}, σ {pull[core].std():.3f}"
        density, _ = np.histogram(pull[good], edges)
        left.stairs(
            density / good.sum() / np.diff(edges), edges, color=COLOURS[arm.grating], lw=1.4, label=label
        )
        bins = np.digitize(light, levels)
        some = [i for i in range(1, len(levels)) if (core & (bins == i)).sum() > 300]
        at = [np.sqrt(levels[i - 1] * levels[i]) for i in some]
        spread, offset = ([f(pull[core & (bins == i)]) for i in some] for f in (np.std, np.mean))
        right.plot(at, spread, "o-", ms=3.5, color=COLOURS[arm.grating], label=f"{arm.grating}, σ")
        right.plot(
            at, offset, "o:", ms=3.5, mfc=PANEL, color=COLOURS[arm.grating], label=f"{arm.grating}, mean"
        )
    left.set(
        yscale="log",
        ylim=(2e-6, 3),
        xlabel="(extracted − true) / σ",
        ylabel="density",
        title="All spectral pixels",
    )
    left.legend(loc="upper right")
    right.axhspan(0.93, 1.07, color=MUTED, alpha=0.13, lw=0)
    right.axhspan(-0.05, 0.05, color=MUTED, alpha=0.13, lw=0)
    right.set(xscale="log", ylim=(-0.35, 1.4), xlabel="true electrons per pixel", title="By brightness")
    right.legend(loc="center left", ncols=2)
    return figure


def along_the_slit(arms: list[Arm], truth: Path) -> Figure:
    """Errors of tramlines and wavelengths, fibre by fibre."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(8.6, 5.2), sharex=True, layout="constrained")
    fibre = np.arange(1, 401)
    for arm in arms:
        flat, arc = true_values(truth, arm.flat), true_values(truth, arm.arc)
        with opened(arm.folder / f"{arm.flat}tlm.fits") as tlm:
            trace = tlm[0].data - flat["trace"]
            lit = (flat["throughput"] > 0) & (tlm["TRACE"].data[0] > 0.5)
        with opened(arm.folder / f"{arm.arc}red.fits") as red:
            step = np.median(np.diff(arc["wavelength"]))
            wave = (red["WAVELA"].data * 10.0 - arc["wavelength"]) / step
        for axis, error in ((upper, trace), (lower, wave)):
            middle, scatter = error[lit].mean(axis=1), error[lit].std(axis=1)
            rms = np.sqrt((error[lit] ** 2).mean(axis=1))
            axis.errorbar(
                fibre[lit], middle, scatter, fmt=".", ms=3, lw=0.6, color=COLOURS[arm.grating], alpha=0.85,
                label=f"{arm.grating}: rms of the median fibre {np.median(rms):.4f}, of the worst {rms.max():.4f} pixel",
            )  # fmt: skip
    for axis, goal, title in (
        (upper, 0.01, "Tramlines: found − true"),
        (lower, 0.02, "Wavelengths: found − true"),
    ):
        axis.axhspan(-goal, goal, color=MUTED, alpha=0.13, lw=0)
        axis.axhline(0, color=MUTED, lw=0.7)
        axis.set(ylabel="pixel", title=title)
        axis.set_ylim(-1.6 * goal, 2.6 * goal)
        axis.legend(loc="upper left", markerscale=2)
    lower.set_xlabel("fibre (points: mean along the fibre; bars: scatter along it)")
    return figure


def profiles(arms: list[Arm]) -> Figure:
    """Profiles that the flats showed at the corners and the middle of the chip, and a Gaussian as wide."""
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.5), sharey=True, layout="constrained")
    for axis, arm in zip(axes, arms, strict=True):
        with opened(arm.folder / f"{arm.flat}tlm.fits") as tlm:
            table, header = tlm["PROFILE"].data, tlm["PROFILE"].header
            width = float(tlm[0].header["MWIDTH"])
        offset = header["OFFSET0"] + header["OFFSTEP"] * np.arange(table.shape[2])
        sigma = width / 2.3548
        axis.plot(
            offset, np.exp(-0.5 * (offset / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi)), color=MUTED, lw=1, ls="--",
            label=f"Gaussian of FWHM {width:.2f} pixel",
        )  # fmt: skip
        places = {
            "lower left": (1, 1),
            "lower right": (1, -2),
            "middle": (8, 8),
            "upper left": (-2, 1),
            "upper right": (-2, -2),
        }
        shades = plt.get_cmap("plasma")(np.linspace(0.3, 0.92, len(places)))
        for (name, (row, column)), shade in zip(places.items(), shades, strict=True):
            axis.plot(offset, np.maximum(table[row, column], 1e-6), lw=1.2, color=shade, label=name)
        halo = 100 * float(header["HALOFRAC"])
        axis.set(
            yscale="log", ylim=(3e-5, 1), xlim=(-12, 12), xlabel="offset from the tramline (pixel)",
            title=f"{arm.grating}: profile, and {halo:.2f} % of the light in the halo",
        )  # fmt: skip
    axes[0].set_ylabel("share of the light per pixel")
    axes[0].legend(loc="upper left", fontsize=7)
    return figure


def sky_residuals(arm: Arm) -> Figure:
    """What subtraction leaves of the sky in the sky fibres."""
    with opened(arm.folder / f"{arm.science[0]}red.fits") as red:
        kinds = np.char.strip(red["FIBRES"].data["TYPE"].astype(str))
        sky = red["SKY"].data.ravel()
        flux, variance = (red[i].data[kinds == "S"].astype(np.float64) for i in (0, 1))
        header = red[0].header
    wavelength = header["CRVAL1"] + header["CDELT1"] * (np.arange(sky.size) + 1 - header["CRPIX1"])
    figure, axes = plt.subplots(
        3, 1, figsize=(8.6, 6.0), sharex=True, layout="constrained", height_ratios=(1.1, 1.1, 0.9)
    )
    axes[0].plot(wavelength, sky, color=AMBER, lw=0.8)
    axes[0].set(yscale="log", ylabel="electron", title=f"{arm.grating}: the sky that was subtracted")
    sigma = np.sqrt(np.nanmedian(variance, axis=0))
    axes[1].fill_between(
        wavelength, -2 * sigma, 2 * sigma, color=BLUE, alpha=0.22, lw=0, label="±2 σ expected"
    )
    axes[1].plot(
        wavelength,
        np.nanmedian(flux, axis=0),
        color=TEXT,
        lw=0.7,
        label=f"median of the {len(flux)} sky fibres",
    )
    axes[1].plot(wavelength, flux[len(flux) // 2], color=RED, lw=0.5, alpha=0.9, label="one sky fibre")
    axes[1].set(ylabel="electron", title="Left in the sky fibres")
    axes[1].legend(loc="lower left", ncols=3)
    top = 5 * np.nanpercentile(sigma, 98)
    axes[1].set_ylim(-top, top)
    pull = flux / np.sqrt(variance)
    scatter = 1.4826 * np.nanmedian(np.abs(pull), axis=0)
    line = sky > 3 * np.nanmedian(sky)
    axes[2].plot(
        wavelength, np.where(line, np.nan, scatter), ".", ms=1.6, color=BLUE, label="between the lines"
    )
    axes[2].plot(wavelength, np.where(line, scatter, np.nan), ".", ms=2.6, color=AMBER, label="in sky lines")
    axes[2].axhline(1.0, color=MUTED, lw=0.8)
    axes[2].set(
        ylim=(0, 2.4), ylabel="scatter / σ", xlabel="wavelength in air (Å)",
        title=f"Scatter over expected noise: median {np.nanmedian(scatter[line]):.2f} in lines, "
        f"{np.nanmedian(scatter[~line]):.2f} between",
    )  # fmt: skip
    axes[2].legend(loc="upper left", ncols=2, markerscale=4)
    return figure


def spliced(arms: list[Arm], truth: Path) -> Figure:
    """The spliced spectrum of a galaxy with emission lines, and the same at the join."""
    with opened(arms[0].folder.parent / SPLICED) as product:
        flux, variance = (product[i].data.astype(np.float64) for i in (0, 1))
        names = np.char.strip(product["FIBRES"].data["NAME"].astype(str))
        header = product[0].header
    wavelength = header["CRVAL1"] + header["CDELT1"] * (np.arange(flux.shape[1]) + 1 - header["CRPIX1"])
    targets = {str(row["name"]): row for row in Table.read(truth / "targets.ecsv")}
    best, signal = "", 0.0
    for name, row in targets.items():
        at = 6562.8 * (1 + float(row["redshift"]))
        places = np.flatnonzero(names == name)
        wanted = row["class"] == "emission galaxy" and row["magnitude"] > FAINTER and at < 8500
        if wanted and places.size:
            near = np.abs(wavelength - at) < 8
            strength = np.nansum(flux[places[0], near]) / np.sqrt(np.nansum(variance[places[0], near]))
            if strength > signal:
                best, signal = name, float(strength)
    if not best:
        raise SystemExit("this seed has no emission-line galaxy to draw; choose another with --seed")
    row = targets[best]
    index = int(np.flatnonzero(names == best)[0])
    overlap = json.loads((arms[0].folder.parent / "spliced.quality.json").read_text())["overlap"]
    figure, axis = plt.subplots(figsize=(8.6, 3.6), layout="constrained")
    kept = np.isfinite(flux[index])
    noise = np.sqrt(variance[index])
    axis.axvspan(*overlap, color=MUTED, alpha=0.16, lw=0, label="both arms")
    axis.plot(wavelength[kept], flux[index, kept], color="#8fcaff", lw=0.6)
    axis.plot(wavelength, noise, color=AMBER, lw=0.6, label="σ")
    top = 1.25 * float(np.nanmax(flux[index]))
    for rest, label in EMISSION:
        at = rest * (1 + float(row["redshift"]))
        if wavelength[20] < at < wavelength[-20]:
            axis.axvline(at, color=MUTED, lw=0.6, ls=":", zorder=0)
            side = "left" if label == "[N II]" else "right"
            axis.text(at, 0.97 * top, label, rotation=90, ha=side, va="top", fontsize=8, color=TEXT)
    axis.set(
        xlim=(wavelength[0], wavelength[-1]), ylim=(-0.1 * top, top), xlabel="wavelength in air (Å)",
        ylabel="electron per pixel",
        title=f"{best}: emission-line galaxy, z = {float(row['redshift']):.4f}, {float(row['magnitude']):.1f} mag; "
        f"both arms, two exposures; red × {header['SPLSCALE']:.3f}",
    )  # fmt: skip
    axis.legend(loc="upper right")
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure with few colours, which keeps it small."""
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(96, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path} has {size} bytes, more than the {MOST_BYTES} that the documentation allows")
    print(f"{path.name} {size} bytes")


if __name__ == "__main__":
    main()
