#!/usr/bin/python3
"""Stands for 2dFdr in the tests' image: prints what it prints, and does what its verb says."""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def say(*words: object) -> None:
    print(*words, flush=True)


def tell(**facts: object) -> None:
    say("FACTS", json.dumps(facts))


def attempt(action) -> str:
    """Name of the error that an action ends in, or 'done'."""
    try:
        action()
    except OSError as error:
        return type(error).__name__ + f" {error.errno}"
    return "done"


def display() -> int:
    """First byte of an X server's answer: 1 is success."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(f"/tmp/.X11-unix/X{os.environ['DISPLAY'].removeprefix(':')}")
        # Least significant byte first, protocol 11.0, no authorisation.
        connection.sendall(bytes([0x6C, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]))
        return connection.recv(1)[0]


def facts() -> None:
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line
    )
    scratch = Path(os.environ["IMP_SCRATCH"])
    (scratch / "noticeboard").write_text("x")
    tell(
        uid=os.getuid(),
        gid=os.getgid(),
        display=display(),
        scratch=str(scratch),
        job=os.environ.get("PAWS_JOB"),
        capabilities=[status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        no_new_privileges=status["NoNewPrivs"],
        seccomp=status["Seccomp"],
        interfaces=sorted(os.listdir("/sys/class/net")),
        files=sorted(
            str(Path(folder) / name)
            for top in ("/job", "/inputs", "/scratch", "/tmp", "/dev/shm")
            for folder, _, names in os.walk(top)
            for name in names
        ),
        processes=sorted(
            (Path("/proc") / pid / "comm").read_text().strip() for pid in os.listdir("/proc") if pid.isdigit()
        ),
        boot=Path("/proc/1/stat").read_text().split()[21],
    )


def intrude(target: str) -> None:
    raw = Path("/inputs/frame.fits")
    tell(
        write_input=attempt(lambda: raw.write_text("gone")),
        chmod_input=attempt(lambda: raw.chmod(0o777)),
        unlink_input=attempt(raw.unlink),
        add_input=attempt(lambda: Path("/inputs/more").write_text("x")),
        write_root=attempt(lambda: Path("/opt/2dfdr/x").write_text("x")),
        write_etc=attempt(lambda: Path("/etc/passwd").write_text("x")),
        mount=subprocess.run(["mount", "-o", "remount,rw", "/inputs"], capture_output=True).returncode,
        other_folder=attempt(lambda: os.listdir(target)),
        docker=attempt(lambda: os.listdir("/var/run/docker.sock")),
        root=attempt(lambda: os.setuid(0)),
    )


def reach(port: str) -> None:
    def connect(address: tuple[str, int]) -> None:
        with socket.create_connection(address, timeout=5):
            pass

    def abstract() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"\0paws-test-{port}")

    tell(
        loopback=attempt(lambda: connect(("127.0.0.1", int(port)))),
        outside=attempt(lambda: connect(("192.0.2.1", 80))),
        abstract=attempt(abstract),
        name=attempt(lambda: socket.getaddrinfo("debian.org", 80)),
    )


def leave_things() -> None:
    """All that a careless or hostile job could leave to the next one."""
    for folder in ("/tmp", "/scratch", "/dev/shm", "/job"):
        Path(folder, "left-behind").write_text("secret")
        Path(folder, ".hidden").write_text("secret")
    os.symlink("/etc/passwd", "/job/link.fits")
    os.mkfifo("/job/pipe.fits")
    subprocess.Popen(["sleep", "987"], start_new_session=True)
    if os.fork() == 0:  # a daemon: its parent is gone
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(987)
        os._exit(0)
    os.wait()


def fill_memory() -> None:
    held = []
    while True:
        block = mmap.mmap(-1, 8 << 20)
        block.write(b"x" * (8 << 20))
        held.append(block)


def fork_on() -> None:
    """Start processes until no more may be."""
    children = []
    outcome = "done"
    for _ in range(5000):
        try:
            pid = os.fork()
        except OSError as error:
            outcome = f"{type(error).__name__} {error.errno}"
            break
        if pid == 0:
            time.sleep(987)
        children.append(pid)
    tell(outcome=outcome, children=len(children))


def burn() -> None:
    """Processor time that a second of four processes gets."""
    started = time.monotonic()
    end = started + 1.0
    children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            while time.monotonic() < end:
                pass
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    used = os.times()
    tell(processors=(used.children_user + used.children_system) / (time.monotonic() - started))


def write_products(names: list[str]) -> None:
    for name in names:
        Path(name).write_bytes(b"product of " + name.encode())


def main(argv: list[str]) -> int:
    verb, rest = argv[0], argv[1:]
    say("AAO Run Process AAO00001:")
    if verb == "facts":
        facts()
    elif verb == "intrude":
        intrude(rest[0])
    elif verb == "reach":
        reach(rest[0])
    elif verb == "leave":
        leave_things()
    elif verb == "write":
        write_products(rest)
    elif verb == "read":
        tell(content=Path(rest[0]).read_text())
    elif verb == "replace":
        # A product under the name of an input, as a program that edits its input writes it.
        Path("new").write_text("edited")
        os.replace("new", rest[0])
    elif verb == "hang":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(987)
    elif verb == "slow":
        for number in range(int(rest[0])):
            say(f"step {number}")
            time.sleep(0.3)
    elif verb == "flood":
        for _ in range(200):
            say("x" * 99_999)
        sys.stdout.write("y" * 3_000_000)
    elif verb == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif verb == "kill-shell":
        os.kill(os.getppid(), signal.SIGKILL)
    elif verb == "kill-display":
        for pid in filter(str.isdigit, os.listdir("/proc")):
            if (Path("/proc") / pid / "comm").read_text().strip() == "Xvfb":
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(3)
        tell(display=display())
    elif verb == "eat":
        fill_memory()
    elif verb == "eat-in-child":
        pid = os.fork()
        if pid == 0:
            fill_memory()
        os.waitpid(pid, 0)
        say("a child is gone")
        return 1
    elif verb == "fork":
        fork_on()
    elif verb == "burn":
        burn()
    elif verb == "fill-scratch":
        path = Path(os.environ["IMP_SCRATCH"]) / "full"
        tell(outcome=attempt(lambda: path.write_bytes(b"x" * (64 << 20))))
    elif verb == "status":
        say("Error: it does not work")
        return int(rest[0])
    elif verb == "interrupted":
        return 0
    elif verb != "help":
        say("Error: no such verb")
        return 1
    say('AAO00001: Action "EXIT", Task "CMD00001", completed.')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
