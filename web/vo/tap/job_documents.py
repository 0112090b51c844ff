"""Jobs as UWS 1.1 writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from paws.vo.jobs import Job
from paws.vo.uws import Phase
from web.vo.xml import XSI, Markup, document, element, moment, nillable

NAMESPACES: Final = {
    "xmlns:uws": "http://www.ivoa.net/xml/UWS/v1.0",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
    "xmlns:xsi": XSI,
}
OWN: Final = "urn:paws-live:uws"
"""Namespace of what is ours in the document of a job."""
_ROOT: Final = {"version": "1.1", **NAMESPACES}


def job_document(job: Job, address: str, owner: str | None) -> bytes:
    """A job.

    Parameters
    ----------
    address
        Of the job.
    owner
        Name of the account that it belongs to.
    """
    return document(
        element(
            "uws:job",
            _ROOT,
            element("uws:jobId", None, job.job_id),
            element("uws:runId", None, job.run_id) if job.run_id is not None else None,
            nillable("uws:ownerId", owner),
            element("uws:phase", None, job.phase.value),
            nillable("uws:quote", None),
            element("uws:creationTime", None, moment(job.created_at)),
            nillable("uws:startTime", moment(job.started_at)),
            nillable("uws:endTime", moment(job.ended_at)),
            element("uws:executionDuration", None, job.execution_duration),
            element("uws:destruction", None, moment(job.destruction)),
            _parameters(job),
            _results(job, address),
            _error(job),
            _info(job),
        )
    )


def list_document(jobs: Sequence[Job], address: str, owner: str | None) -> bytes:
    """A list of jobs.

    Parameters
    ----------
    address
        Of the list; those of its jobs begin so.
    """
    return document(
        element(
            "uws:jobs",
            _ROOT,
            *(
                element(
                    "uws:jobref",
                    {"id": job.job_id, "xlink:type": "simple", "xlink:href": f"{address}/{job.job_id}"},
                    element("uws:phase", None, job.phase.value),
                    element("uws:runId", None, job.run_id) if job.run_id is not None else None,
                    nillable("uws:ownerId", owner),
                    element("uws:creationTime", None, moment(job.created_at)),
                )
                for job in jobs
            ),
        )
    )


def parameters_document(job: Job) -> bytes:
    """The parameters of a job."""
    return document(_parameters(job, NAMESPACES))


def results_document(job: Job, address: str) -> bytes:
    """The results of a job."""
    return document(_results(job, address, NAMESPACES))


def _parameters(job: Job, attributes: dict[str, str] | None = None) -> Markup:
    return element(
        "uws:parameters",
        attributes,
        *(element("uws:parameter", {"id": name}, value) for name, value in job.parameters),
    )


def _results(job: Job, address: str, attributes: dict[str, str] | None = None) -> Markup:
    if job.phase is not Phase.COMPLETED:
        return element("uws:results", attributes)
    return element(
        "uws:results",
        attributes,
        element(
            "uws:result",
            {
                "id": "result",
                "xlink:type": "simple",
                "xlink:href": f"{address}/results/result",
                "mime-type": job.media_type,
                "size": job.result_bytes,
            },
        ),
    )


def _info(job: Job) -> Markup | None:
    """What UWS has no name for: it leaves `jobInfo` to whoever makes the document."""
    if job.phase is not Phase.COMPLETED or job.result_rows is None:
        return None
    return element("uws:jobInfo", None, element("paws:rows", {"xmlns:paws": OWN}, job.result_rows))


def _error(job: Job) -> Markup | None:
    if job.error is None:
        return None
    return element(
        "uws:errorSummary",
        {"type": "fatal", "hasDetail": "true"},
        element("uws:message", None, job.error),
    )
