"""Looking at the engines: programs, the Docker daemon, images."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from agents.doctor.finding import Finding, error, ok, skipped, warning
from paws.engines import EngineReference, engine_reference
from paws.errors import ConfigurationError
from paws.settings import Settings


def look_at_engines(settings: Settings) -> Iterator[Finding]:
    """Findings of every engine that the settings name."""
    references: list[EngineReference] = []
    for name in dict.fromkeys((settings.engine, *settings.engines)):
        try:
            references.append(engine_reference(settings, name))
        except ConfigurationError as problem:
            yield error(f"engine {name}", problem.message, "Correct PAWS_ENGINE or PAWS_ENGINES.")
    for reference in references:
        if reference.kind == "builtin":
            yield ok(f"engine {reference.name}", f"quicklook, version {reference.version}")
        elif reference.kind == "local":
            yield _program(reference)
    images = [reference for reference in references if reference.kind == "docker"]
    if images:
        yield from _docker(settings, images)
    else:
        yield skipped("docker", "no engine of the settings needs it")


def _program(reference: EngineReference) -> Finding:
    found = shutil.which(reference.target)
    if found is None:
        return error(
            f"engine {reference.name}",
            f"there is no program {reference.target!r} on PATH",
            "Install 2dFdr and put its bin folder on PATH, or name its aaorun in PAWS_AAORUN or PAWS_ENGINES.",
        )
    return ok(f"engine {reference.name}", found)


def _docker(settings: Settings, images: Sequence[EngineReference]) -> Iterator[Finding]:
    # Its library takes a while to load, and few machines need it.
    from agents.reducer.engines.docker.daemon import connect

    try:
        client: Any = connect(settings.docker_host, min(settings.docker_timeout, 10.0))
    except ConfigurationError as problem:
        yield error("docker", problem.message, "Correct PAWS_DOCKER_HOST.")
        return
    try:
        try:
            version = client.version()
        except Exception as problem:
            # The library lets through whatever its layers raise.
            yield error(
                "docker",
                f"the daemon does not answer: {problem}",
                "Start it (systemctl start docker), and let this user use its socket (group docker).",
            )
            for reference in images:
                yield skipped(f"engine {reference.name}", "the Docker daemon comes first")
            return
        yield ok("docker", f"version {version.get('Version', 'unknown')}")
        for reference in images:
            yield _image(client, reference)
    finally:
        client.close()


def _image(client: Any, reference: EngineReference) -> Finding:
    from docker.errors import ImageNotFound

    part = f"engine {reference.name}"
    try:
        found = client.inspect_image(reference.target)
    except ImageNotFound:
        return error(
            part,
            f"there is no image {reference.target}",
            "Build it (docs/how-to/docker.md) or pull it on the daemon's machine.",
        )
    except Exception as problem:
        return warning(
            part, f"image {reference.target} cannot be looked at: {problem}", "See the daemon's log."
        )
    return ok(part, f"image {reference.target}, {str(found.get('Id', ''))[:19]}")
