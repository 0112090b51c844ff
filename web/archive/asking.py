"""From a question's position to a cone: coordinates are read, names are looked up."""

from __future__ import annotations

from http import HTTPStatus

from web.api.models import ProblemField
from web.archive.questions import ArchiveQuestion
from web.archive.resolver import Resolver, ResolverAwayError, UnknownNameError
from web.archive.sky import Cone, Place, looks_like_coordinates, place_of
from web.problems import ProblemError


async def cone_of(question: ArchiveQuestion, resolver: Resolver) -> Cone | None:
    """Cone that a question asks for, if any.

    Raises
    ------
    ProblemError
        422 if its position cannot be read or is not known, 503 if names cannot be looked up now.
    """
    if question.position is None:
        return None
    return Cone(await _place(question.position, resolver), question.radius)


async def _place(text: str, resolver: Resolver) -> Place:
    if looks_like_coordinates(text):
        try:
            return place_of(text)
        except ValueError as error:
            raise _wrong(f"The position cannot be read: {error}.") from error
    try:
        return await resolver.resolve(text)
    except UnknownNameError as error:
        raise _wrong(error.message) from error
    except ResolverAwayError as error:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, error.message) from error


def _wrong(detail: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY, detail, [ProblemField(name="position", detail=detail)]
    )
