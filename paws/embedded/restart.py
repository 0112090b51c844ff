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
        So many failed starts in a row end the attempts: a process that cannot even become ready has a
        fault that waiting does not mend. One that was ready and ended is started again without end, and
        so is one that was killed from outside: whoever kills it, the night goes on.
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
        Ends in a row before this one, each after a short life: they lengthen the pause.
    failed_starts_before : int
        Starts in a row before this one that did not lead to readiness, by the process's own fault.
    """

    status: int
    lifetime: float
    was_ready: bool
    overdue: bool = False
    failures_before: int = 0
    failed_starts_before: int = 0

    @property
    def from_outside(self) -> bool:
        """Whether somebody else killed it: a person, the kernel for want of memory."""
        return self.status == -signal.SIGKILL and not self.overdue


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
        Ends in a row, this one included.
    failed_starts : int
        Failed starts in a row, this one included.
    reason : str
        For the log and the user.
    """

    action: RestartAction
    delay: float
    failures: int
    reason: str
    failed_starts: int = 0


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
    # Whoever kills it from outside may do so again; waiting longer each time would not keep him from it.
    failures = 1 if recovered else max(1, ending.failures_before + (0 if ending.from_outside else 1))
    failed_starts = _failed_starts(ending)

    def give_up(why: str) -> RestartDecision:
        return RestartDecision(RestartAction.GIVE_UP, 0.0, failures, f"{how}; {why}", failed_starts)

    if ending.status in policy.hopeless_codes and not ending.overdue:
        return give_up("starting it again cannot change that")
    if not policy.enabled:
        return give_up("it is started only once")
    if failed_starts > policy.max_failures:
        return give_up(f"that was failed start {failed_starts} in a row")
    delay = min(policy.first_delay * 2.0 ** min(failures - 1, 60), policy.max_delay)
    counted = f" (failed start {failed_starts} of {policy.max_failures} allowed in a row)"
    return RestartDecision(
        RestartAction.RESTART,
        delay,
        failures,
        f"{how}{counted if failed_starts else ''}; starting again in {delay:g} s",
        failed_starts,
    )


def _failed_starts(ending: Ending) -> int:
    if ending.was_ready:
        return 0
    return ending.failed_starts_before + (0 if ending.from_outside else 1)
