"""What figures mean for the health of a part. Pure: tables of cases test it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from agents.doctor.finding import Finding, error, ok, warning
from paws.operations import Disk, Work

GB = 1_000_000_000

NIGHT = 60 * GB
"""A full night: 400 raw frames of 17 MB in each arm and what is made of them."""
LEAST = 5 * GB
"""Below it a night ends for lack of room."""

CLOCK_TOLERANCE = 2.0
"""Seconds that our clock and the database's may differ: leases are counted in seconds by both."""

LAG_ALARM = 100
"""Events. Workers are through with one in milliseconds, so more than these mean that none works."""

OLDEST_PYTHON = (3, 11)


def judge_python(version: Sequence[int]) -> Finding:
    """Whether this Python serves."""
    text = ".".join(map(str, version[:3]))
    if tuple(version[:2]) < OLDEST_PYTHON:
        return error(
            "python", f"Python {text}", "Install Python 3.11 or newer and install PAWS Live with it."
        )
    return ok("python", f"Python {text}")


def judge_disk(name: str, disk: Disk) -> Finding:
    """Whether there is room for a night."""
    part = f"disk: {name}"
    detail = f"{disk.free / GB:.1f} GB free of {disk.size / GB:.0f} GB at {disk.folder}"
    if name.startswith("raw"):
        # We only read there; who fills it is told by the instrument.
        return ok(part, detail)
    advice = (
        "Make room: `paws tidy --dry-run` shows what it would remove; or move PAWS_DATA_DIR to a larger disk."
    )
    if disk.free < LEAST:
        return error(part, detail, advice)
    if disk.free < NIGHT:
        return warning(part, f"{detail}, less than a full night takes ({NIGHT / GB:.0f} GB)", advice)
    return ok(part, detail)


def judge_clock(difference: timedelta) -> Finding:
    """Whether our clock and the database's agree.

    Parameters
    ----------
    difference
        Ours minus the database's.
    """
    seconds = difference.total_seconds()
    detail = f"{seconds:+.2f} s from the database's"
    if abs(seconds) > CLOCK_TOLERANCE:
        return error(
            "clock",
            detail,
            "Synchronise the clocks of both machines (chrony or systemd-timesyncd): leases and nights go by them.",
        )
    return ok("clock", detail)


def judge_migrations(missing: Sequence[str], changed: Sequence[str], unknown: Sequence[str]) -> Finding:
    """Whether the database has the tables of this version."""
    if changed or unknown:
        names = ", ".join([*changed, *unknown])
        return error(
            "migrations",
            f"The database was made by another version: {names}",
            "Use that version of PAWS Live here; or a new database, filled by `paws rebuild`.",
        )
    if missing:
        return error("migrations", f"Not applied: {', '.join(missing)}", "Run `paws migrate`.")
    return ok("migrations", "all applied")


def judge_work(work: Work) -> list[Finding]:
    """Whether work is being done."""
    waiting = sum(count for (_, state), count in work.jobs.items() if state == "todo")
    doing = sum(count for (_, state), count in work.jobs.items() if state == "doing")
    found = []
    detail = f"{waiting} jobs wait, {doing} are at work"
    if waiting and not work.lease_ages:
        found.append(
            error("queue", f"{detail}, and no runner lives", "Start `paws runner` (systemd: paws-runner@1).")
        )
    elif work.oldest_queued > 900:
        found.append(
            warning(
                "queue",
                f"{detail}, the oldest for {work.oldest_queued / 60:.0f} minutes",
                "Start more runners, on this machine or another; or look at whether the engine is slow.",
            )
        )
    else:
        found.append(ok("queue", detail))
    if work.stale_leases:
        found.append(
            error(
                "leases",
                f"{work.stale_leases} runners hold work and are silent",
                "Any live runner takes their work back: start one. Should it run already, restart it.",
            )
        )
    else:
        found.append(ok("leases", f"{len(work.lease_ages)} runners live"))
    failed = sum(work.failures.values())
    if failed:
        codes = ", ".join(f"{code} ({count})" for code, count in sorted(work.failures.items()))
        found.append(
            warning(
                "failures",
                f"{failed} reductions failed in the last hour: {codes}",
                "Their frames' pages tell what to do; `paws reprocess NIGHT` tries again.",
            )
        )
    else:
        found.append(ok("failures", "none in the last hour"))
    return found


def judge_outbox(waiting: int, age: float) -> Finding:
    """Whether events are published."""
    detail = f"{waiting} events wait, the oldest for {age:.0f} s" if waiting else "nothing waits"
    if waiting and age > 30:
        return error(
            "outbox", detail, "Start `paws worker`, or see in its log why it does not reach the broker."
        )
    return ok("outbox", detail)


def judge_lag(lag: Mapping[str, int]) -> Finding:
    """Whether workers keep up."""
    behind = {topic: events for topic, events in lag.items() if events > LAG_ALARM}
    if behind:
        text = ", ".join(f"{topic} {events}" for topic, events in sorted(behind.items()))
        return warning(
            "lag",
            f"events not acknowledged: {text}",
            "See that `paws worker` runs; its log tells what it does.",
        )
    return ok("lag", f"{sum(lag.values())} events not acknowledged")


def judge_topics(missing: Sequence[str], partitions: Mapping[str, int]) -> Finding:
    """Whether the topics are there, with one partition each."""
    wrong = sorted(topic for topic, count in partitions.items() if count != 1)
    if wrong:
        return error(
            "topics",
            f"{', '.join(wrong)} have more than one partition",
            "Stop the system, delete these topics, and start it: it declares them anew and replays what they held.",
        )
    if missing:
        return warning(
            "topics", f"missing: {', '.join(missing)}", "The first `paws worker` declares them; start one."
        )
    return ok("topics", f"{len(partitions)} declared")


def judge_raw_folder(part: str, path: str, *, readable: bool, remote: bool, mode: str) -> Finding:
    """Whether a raw folder can be watched."""
    if not readable:
        return error(
            part,
            f"{path} cannot be read",
            "Mount it, or correct PAWS_RAW_DIRS; then look at its permissions.",
        )
    if remote and mode == "events":
        return error(
            part,
            f"{path} is a network file system, whose writes by other machines the kernel does not tell",
            "Set PAWS_INGEST_MODE=polling (or auto).",
        )
    how = "polled" if remote or mode == "polling" else "watched by events and sweeps"
    return ok(part, f"{path}, {how}")
