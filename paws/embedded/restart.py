"""Whether a process that ended is started again: one pure decision with its reason."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import StrEnum


class RestartAction(StrEnum):
    """What happens to a process that ended."""

    RESTART = "restart"
    GIVE_UP = "give up"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """How often and how soon a process may be started again.

    Attributes
    ----------
    enabled : bool
        False for a process that is started once.
    max_failures : int
        So many failures in a row end the attempts.
    first_delay, max_delay : float
        Pause before the first new start, and the longest [s]. It doubles with every failure in a row.
    healthy_after : float
        After so long a life [s] the failures before it are forgotten.
    done_codes : frozenset of int
        Exit statuses of a process that has finished its work.
    hopeless_codes : frozenset of int
        Exit statuses that no new start can change: 2 is a wrong command line, 78 a wrong configuration
        (EX_CONFIG of sysexits.h), 126 and 127 a program that cannot be executed.
    """

    enabled: bool = True
    max_failures: int = 5
    first_delay: float = 0.2
    max_delay: float = 10.0
    healthy_after: float = 30.0
    done_codes: frozenset[int] = frozenset()
    hopeless_codes: frozenset[int] = frozenset({2, 78, 126, 127})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended.

    Attributes
    ----------
    status : int
        Exit status; negative for a signal, as in `subprocess`.
    lifetime : float
        From its start to its end [s].
    was_ready : bool
        Whether it had become ready.
    overdue : bool
        Whether it was ended because it was not ready before its deadline.
    failures_before : int
        Failures in a row before this one.
    """

    status: int
    lifetime: float
    was_ready: bool
    overdue: bool = False
    failures_before: int = 0


@dataclass(frozen=True, slots=True)
class RestartDecision:
    """What to do with a process that ended, and why.

    Attributes
    ----------
    action : RestartAction
        The decision.
    delay : float
        Pause before the new start [s].
    failures : int
        Failures in a row, this one included.
    reason : str
        For the log and the user.
    """

    action: RestartAction
    delay: float
    failures: int
    reason: str


def describe_status(status: int) -> str:
    """Say an exit status in words, signals by name."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"


def decide_restart(policy: RestartPolicy, ending: Ending, *, stopping: bool) -> RestartDecision:
    """Decide what happens to a process that ended.

    Parameters
    ----------
    policy : RestartPolicy
        The rules for this process.
    ending : Ending
        How it ended.
    stopping : bool
        Whether the supervisor is itself stopping.
    """
    how = "was not ready before its deadline" if ending.overdue else describe_status(ending.status)
    if stopping:
        return RestartDecision(RestartAction.LEAVE, 0.0, 0, f"{how}; everything is being stopped")
    if ending.status in policy.done_codes and not ending.overdue:
        return RestartDecision(RestartAction.LEAVE, 0.0, 0, f"{how}; its work is done")
    recovered = ending.was_ready and ending.lifetime >= policy.healthy_after
    failures = 1 if recovered else ending.failures_before + 1
    if ending.status in policy.hopeless_codes and not ending.overdue:
        return RestartDecision(
            RestartAction.GIVE_UP, 0.0, failures, f"{how}; starting it again cannot change that"
        )
    if not policy.enabled:
        return RestartDecision(RestartAction.GIVE_UP, 0.0, failures, f"{how}; it is started only once")
    if failures > policy.max_failures:
        return RestartDecision(
            RestartAction.GIVE_UP, 0.0, failures, f"{how}; that was failure {failures} in a row"
        )
    delay = min(policy.first_delay * 2.0 ** (failures - 1), policy.max_delay)
    return RestartDecision(
        RestartAction.RESTART,
        delay,
        failures,
        f"{how} (failure {failures} of {policy.max_failures} allowed in a row); starting again in {delay:g} s",
    )
