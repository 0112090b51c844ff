"""From a question to the bytes of its answer: what synchronous queries and jobs share."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from paws.settings import Settings
from paws.vo.jobs import spool_folder
from web.vo.datalink.descriptors import descriptors_for
from web.vo.formats import ResultInfo, write
from web.vo.tap.asking import TapQuestion
from web.vo.tap.executor import Asker, Load, QueryDesk, Running
from web.vo.tap.troubles import explained

SERVER = "PAWS Live"


@dataclass(frozen=True)
class Circumstances:
    """What a query runs under.

    Attributes
    ----------
    base_url
        Address under which whoever asked reached us.
    seconds
        That it may take in the database.
    largest
        Bytes of an answer that has to be written whole before it is sent.
    counted
        Called with the number of rows when all of them are written.
    """

    base_url: str
    seconds: float
    synchronous: bool
    label: str
    largest: int
    counted: Callable[[int], None] | None = None


async def answer(
    desk: QueryDesk,
    settings: Settings,
    question: TapQuestion,
    asker: Asker,
    under: Circumstances,
    load: Load | None = None,
) -> AsyncGenerator[bytes, None]:
    """Pieces of the answer to a question.

    Raises
    ------
    ServiceError
        With words for whoever asked. What fails after the first piece of a synchronous answer is told in it instead,
        where its format has a place for that; a job has failed.
    """

    def words(error: Exception) -> str:
        told = explained(error, under.seconds, synchronous=under.synchronous)
        return "The query broke off; its log has the reason." if told is None else str(told.detail)

    try:
        async with desk.running(
            question.query,
            question.limit,
            asker,
            base_url=under.base_url,
            seconds=under.seconds,
            label=under.label,
            load=load,
        ) as running:
            info = ResultInfo(
                query=question.query,
                facts={"server": SERVER, **_warnings(running)},
                descriptors=descriptors_for(running.compiled.columns, under.base_url),
                explain=words,
                spool_dir=spool_folder(settings),
                spool_bytes=under.largest,
                whole=not under.synchronous,
                counted=under.counted,
            )
            pieces = write(
                question.choice.format,
                running.compiled.columns,
                running.chunks,
                limit=question.limit,
                info=info,
            )
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece
    except Exception as error:
        told = explained(error, under.seconds, synchronous=under.synchronous)
        if told is None:
            raise
        raise told from error


def _warnings(running: Running) -> dict[str, str]:
    return {f"warning_{number}": text for number, text in enumerate(running.compiled.warnings, 1)}
