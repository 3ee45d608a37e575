"""What a worker does: a handler, and the queue that its work comes from."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .._guards import ChunkRow
from .._proto.layer.pipeline.v1 import document_pb2
from .._values import DocumentId


class Transient(Exception):
    """Trying again may succeed: raised by a handler, or put in the place of a result."""


class Permanent(Exception):
    """No attempt ever will: the work becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class PipelineDocument:
    """A document to work on."""

    id: str
    version: int
    attempt: int
    """Which attempt this is, from 1."""
    chunks: Sequence[document_pb2.Chunk]
    """What was staged, or what the stage before has put out."""


@dataclass(frozen=True, slots=True)
class Output:
    """Chunks that a stage puts out, for the stage behind it; `Rows` are what the last stage puts out."""

    chunks: Sequence[document_pb2.Chunk] = ()
    to_stage: str = ""
    """Where the document goes; empty: the next stage."""


Rows = Sequence[ChunkRow]
"""Rows to write to the pipeline's namespace; the document is done then."""


@dataclass(frozen=True, slots=True)
class FunctionItem:
    """A row to work on."""

    namespace: str
    id: DocumentId
    attempt: int
    """Which attempt this is, from 1."""
    input: Mapping[str, Any]
    """The attributes that the function asks for; one without a value has no entry."""


Handler = Callable[[Sequence[Any]], Sequence[Any] | Awaitable[Sequence[Any]]]
"""Gets a batch, and answers a result for each of it in the same order: a `Transient` or `Permanent` where one has failed."""


@dataclass(frozen=True, slots=True)
class Job:
    """A handler and its queue; made by `pipeline` and `function`."""

    kind: Literal["pipeline", "function"]
    queue_id: str
    """The pipeline's or the function's id."""
    handler: Handler
    batch_size: int = 32
    stage: str = ""
    """Of a pipeline: the stage to take from; empty: the first."""
    claim_stage: str = ""
    """Of a pipeline: the stage that documents are in meanwhile; empty: the next."""
    call: Callable[..., Any] | None = field(default=None, repr=False)
    """What was decorated."""

    def __call__(self, *args: Any, **arguments: Any) -> Any:
        """Calls what was decorated, as if it had not been."""
        assert self.call is not None
        return self.call(*args, **arguments)


def pipeline(
    pipeline_id: str, *, stage: str = "", claim_stage: str = "", batch_size: int = 32
) -> Callable[[Callable[..., Any]], Job]:
    """Makes a worker's job of a handler of documents.

    The handler gets a list of `PipelineDocument` and answers, for each, rows to write (a list of `ChunkRow`: the document is
    done) or an `Output` for the next stage. It may be a coroutine function; other handlers run in a thread.
    """

    def decorate(handler: Callable[..., Any]) -> Job:
        return Job("pipeline", pipeline_id, handler, batch_size, stage, claim_stage, handler)

    return decorate


def function(
    function_id: str, *, output: str | None = None, batch_size: int = 32, batch: bool = False
) -> Callable[[Callable[..., Any]], Job]:
    """Makes a worker's job of a function over rows.

    The function is called for each row with its inputs as keyword arguments, and answers the attributes that the row gains:
    a mapping, or a value for the attribute `output`. An input that the row lacks is left out: give its parameter a default.
    With `batch=True` it gets a list of `FunctionItem` instead, and answers a list. It may be a coroutine function; other
    functions run in a thread. ::

        @function("language-of", output="language")
        def language_of(*, text: str = "") -> str:
            return detect(text)
    """

    def decorate(call: Callable[..., Any]) -> Job:
        handler = call if batch else _each(call)
        return Job("function", function_id, _named(handler, output), batch_size, call=call)

    return decorate


def _each(call: Callable[..., Any]) -> Handler:
    """A handler of batches that makes one call for each row, and lets none fail another."""
    if inspect.iscoroutinefunction(call):

        @functools.wraps(call)
        async def one_by_one(items: Sequence[FunctionItem]) -> list[Any]:
            return [await _caught_async(call, item) for item in items]

        return one_by_one

    @functools.wraps(call)
    def in_turn(items: Sequence[FunctionItem]) -> list[Any]:
        return [_caught(call, item) for item in items]

    return in_turn


def _caught(call: Callable[..., Any], item: FunctionItem) -> Any:
    try:
        return call(**item.input)
    except Exception as error:
        return error


async def _caught_async(call: Callable[..., Any], item: FunctionItem) -> Any:
    try:
        return await call(**item.input)
    except Exception as error:
        return error


def _named(handler: Handler, output: str | None) -> Handler:
    """A handler whose plain values are named."""
    if output is None:
        return handler

    def name(results: Sequence[Any]) -> list[Any]:
        return [each if isinstance(each, Mapping | Exception) else {output: each} for each in results]

    if inspect.iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def awaited(items: Sequence[Any]) -> list[Any]:
            return name(await handler(items))

        return awaited

    @functools.wraps(handler)
    def called(items: Sequence[Any]) -> list[Any]:
        answer = handler(items)
        assert not inspect.isawaitable(answer)
        return name(answer)

    return called
