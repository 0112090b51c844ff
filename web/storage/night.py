"""What the pages of a night read beyond its frames: products with their figures, spectra, orders, goals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np

from paws.access.predicate import condition, seen, values_of
from paws.access.rule import Sight
from paws.clock import night_date
from paws.database import Connection, Pool
from paws.matching.policy import MatchPolicy
from paws.matching.sighting import JunkMark, ParameterMark, Sighting, in_order
from paws.matching.state import Finished, NightState
from paws.nightwatch.growth import Goal
from paws.nightwatch.judge import MEANINGS
from paws.nightwatch.spectra import TARGET, Floats
from paws.status import FRAME_COLUMNS
from schemas.frames import Frame
from schemas.vocabulary import FrameClass, ReductionState
from web.access import told_rows

Row = dict[str, Any]
_FIGURES: Final = ", ".join(
    f"'{name}', p.quality -> '{name}'" for name in sorted({*MEANINGS, "signal_to_noise"})
)
_TEXTS: Final = ("reason", "stage")
_CALIBRATIONS: Final = [kind.value for kind in FrameClass if not kind.is_science]
_MOST_ORDERS: Final = 200


@dataclass(frozen=True)
class ProductSpectra:
    """Targets of a product, as columns."""

    fibre: tuple[int, ...]
    name: tuple[str, ...]
    magnitude: Floats
    snr: Floats
    flux: Floats


async def frames(pool: Pool, night: str, sight: Sight) -> list[Row]:
    """Frames of a night that are seen, with when they were planned and who may change them, in order of runs."""
    rows = await pool.fetch(
        f"SELECT {FRAME_COLUMNS}, planned_at, started_at, proposal, owner, decision -> 'choices' AS choices"  # noqa: S608 - constant columns and condition
        f" FROM frame_status WHERE night = $1 AND {condition('frame', 2)} ORDER BY run, arm, arrived_at",
        night,
        *values_of(sight),
    )
    return await told_rows(pool, [dict(row) for row in rows], sight, _TEXTS)


async def products(pool: Pool, night: str, sight: Sight) -> list[Row]:
    """Current products of a night that are seen, with their figures and the frames that went in."""
    allowed, values = seen("product", sight, [night], "p")
    rows = await pool.fetch(
        "SELECT p.product_id, p.job_key, p.kind, p.arm, p.version, p.level, p.provisional, p.checksum, p.created_at,"  # noqa: S608 - constant columns and condition
        f" jsonb_build_object({_FIGURES}) AS figures,"
        " ARRAY(SELECT frame_id FROM product_frame l WHERE l.product_id = p.product_id) AS frame_ids"
        f" FROM product p WHERE p.night = $1 AND p.current AND {allowed} ORDER BY p.kind, p.product_id",
        *values,
    )
    return [dict(row) for row in rows]


async def figures_of_jobs(pool: Pool, job_keys: Sequence[str], sight: Sight) -> dict[str, dict[str, Any]]:
    """Figures of the products of some reductions (such as the arcs of other nights), as far as they are seen."""
    allowed, values = seen("product", sight, [list(job_keys)], "p")
    rows = await pool.fetch(
        f"SELECT p.job_key, jsonb_build_object({_FIGURES}) AS figures FROM product p"  # noqa: S608 - constants
        f" WHERE p.job_key = ANY($1::text[]) AND {allowed}",
        *values,
    )
    return {row["job_key"]: row["figures"] for row in rows}


async def spectra(pool: Pool, product_ids: Sequence[str]) -> dict[str, ProductSpectra]:
    """Targets of some products, of which the caller knows that they are seen."""
    rows = await pool.fetch(
        "SELECT product_id, array_agg(fibre ORDER BY fibre) AS fibre, array_agg(target_name ORDER BY fibre) AS name,"
        " array_agg(magnitude ORDER BY fibre) AS magnitude, array_agg(signal_to_noise ORDER BY fibre) AS snr,"
        " array_agg(flux ORDER BY fibre) AS flux"
        " FROM spectrum WHERE product_id = ANY($1::text[]) AND fibre_type = $2 GROUP BY product_id",
        list(product_ids),
        TARGET,
    )
    return {
        row["product_id"]: ProductSpectra(
            tuple(row["fibre"]),
            tuple(row["name"]),
            *(np.array(row[name], dtype=float) for name in ("magnitude", "snr", "flux")),
        )
        for row in rows
    }


async def states_near(pool: Pool, night: str, policy: MatchPolicy) -> dict[str, NightState]:
    """What the matcher's rules need to know of a night and of the calibrations of those near it."""
    reach = timedelta(days=policy.horizon)
    first, last = ((night_date(night) + days).strftime("%Y%m%d") for days in (-reach, reach))
    rows = await pool.fetch(
        "SELECT f.frame_id, f.night, f.document, f.arrived_at, f.source, f.junked, f.junk_reason, f.junked_by,"
        " f.junked_at, p.parameters, p.reason, p.who, p.at FROM frame f LEFT JOIN frame_parameters p USING (frame_id)"
        " WHERE f.night = $1 OR (f.night BETWEEN $2 AND $3 AND f.frame_class = ANY($4::text[]))",
        *(night, first, last, _CALIBRATIONS),
    )
    states: dict[str, NightState] = {night: NightState(night)}
    for row in rows:
        state = states.setdefault(row["night"], NightState(row["night"]))
        live = row["source"] == "live"
        state.fold_frame(Sighting(Frame.model_validate(row["document"]), row["arrived_at"], live))
        if row["junked_at"] is not None:
            mark = JunkMark(row["junked"], row["junk_reason"] or "", row["junked_by"] or "", row["junked_at"])
            state.fold_junk(row["frame_id"], mark)
        if row["parameters"] is not None:
            own = ParameterMark(in_order(row["parameters"]), row["reason"], row["who"], row["at"])
            state.fold_parameters(row["frame_id"], own)
    ends = await pool.fetch(
        "SELECT job_key, slot, night, state, error, requested_at, finished_at FROM reduction"
        " WHERE night = ANY($1::text[]) AND state <> 'cancelled'",
        sorted(states),
    )
    for row in ends:
        reached = ReductionState(row["state"])
        if reached.is_final:
            at = row["finished_at"] or row["requested_at"]
            ended = Finished(row["slot"], reached, at, (row["error"] or "")[:500])
            states[row["night"]].fold_finished(row["job_key"], ended)
        else:
            states[row["night"]].requested[row["job_key"]] = row["requested_at"]
    return states


async def orders(pool: Pool, night: str, sight: Sight) -> list[Row]:
    """Orders of a night, the newest first, each with those of its frames that are seen; others are not there."""
    rows = await pool.fetch(
        "SELECT o.order_id, o.kind, o.parameters, o.reason, o.who, o.at, f.frame_id, f.name, f.run, f.arm,"  # noqa: S608 - constant condition
        " l.effect, f.state, f.reason AS frame_reason, f.job_key, f.frame_class"
        " FROM observer_order o JOIN observer_order_frame l USING (order_id) JOIN frame_status f USING (frame_id)"
        f" WHERE o.night = $1 AND {condition('frame', 2, 'f')} ORDER BY o.at DESC, o.order_id, f.run, f.arm",
        night,
        *values_of(sight),
    )
    told = await told_rows(pool, [dict(row) for row in rows], sight, ("frame_reason", "reason"))
    found: dict[str, Row] = {}
    for row in told:
        order = found.setdefault(
            row["order_id"],
            {name: row[name] for name in ("order_id", "kind", "parameters", "reason", "who", "at")}
            | {"frames": []},
        )
        order["frames"].append(row)
    return list(found.values())[:_MOST_ORDERS]


async def frames_to_order(pool: Pool, night: str, frame_ids: Sequence[str], sight: Sight) -> list[Row]:
    """Chosen frames of a night that are seen, with what an order needs to know of them."""
    rows = await pool.fetch(
        "SELECT f.frame_id, f.name, f.run, f.arm, f.frame_class, f.object_name, f.field, f.grating, f.owner, f.junked,"  # noqa: S608 - constant condition
        " f.junk_reason, s.state, p.parameters FROM frame f JOIN frame_status s USING (frame_id)"
        " LEFT JOIN frame_parameters p ON p.frame_id = f.frame_id"
        f" WHERE f.night = $1 AND f.frame_id = ANY($2::text[]) AND {condition('frame', 3, 'f')}"
        " ORDER BY f.run, f.arm, f.frame_id",
        night,
        list(frame_ids),
        *values_of(sight),
    )
    return [dict(row) for row in rows]


async def goals(pool: Pool, proposals: Sequence[str] | None) -> list[tuple[str, Goal, Row]]:
    """Goals of some proposals, or of all (None), and those for everybody; the newest first."""
    rows = await pool.fetch(
        "SELECT proposal, from_night, signal_to_noise, magnitude, share, source, set_by, set_at FROM observing_goal"
        " WHERE $1::text[] IS NULL OR proposal = ANY($1) OR proposal = '' ORDER BY proposal, from_night DESC",
        None if proposals is None else list(proposals),
    )
    return [
        (
            row["proposal"],
            Goal(row["signal_to_noise"], row["magnitude"], row["share"], row["from_night"], row["source"]),
            dict(row),
        )
        for row in rows
    ]


async def set_goal(connection: Connection, proposal: str, goal: Goal, who: str) -> None:
    """Set the goal of a proposal from a night on; another of the same night is replaced."""
    await connection.execute(
        "INSERT INTO observing_goal (proposal, from_night, signal_to_noise, magnitude, share, source, set_by)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (proposal, from_night) DO UPDATE SET"
        " signal_to_noise = excluded.signal_to_noise, magnitude = excluded.magnitude, share = excluded.share,"
        " source = excluded.source, set_by = excluded.set_by, set_at = now()",
        *(proposal, goal.since, goal.signal_to_noise, goal.magnitude, goal.share, goal.source, who),
    )
