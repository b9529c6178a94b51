"""Modules talk upwards by events. The hub stores each event with one job per handler, in the caller's transaction."""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from backend.app.core.ids import Ulid, new_ulid
from backend.app.core.redaction import redact_json
from backend.app.db.outbox import EventRow, JobRow, insert_event
from backend.app.db.session import after_commit

if TYPE_CHECKING:
    from backend.app.core.context import ServiceContext

COMMAND_SUFFIX = ".requested"
_WAKE = "touchstone_wake"


class Event(BaseModel):
    """A fact, `<noun>.<past participle>`, or a command, `<noun>.requested`, which has one handler at most.

    `entity` is what it happened to; the field `<entity>_id` holds which one. It defaults to the noun of `name`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    name: ClassVar[str]
    version: ClassVar[int] = 1
    entity: ClassVar[str]

    project_id: Ulid | None = None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if "name" in cls.__dict__ and "entity" not in cls.__dict__:
            cls.entity = cls.name.partition(".")[0]
        if "name" in cls.__dict__ and f"{cls.entity}_id" not in cls.model_fields:
            raise TypeError(f"{cls.__name__} needs the field {cls.entity}_id")

    @property
    def entity_id(self) -> str:
        return str(getattr(self, f"{self.entity}_id"))

    @classmethod
    def is_command(cls) -> bool:
        return cls.name.endswith(COMMAND_SUFFIX)


E = TypeVar("E", bound=Event)
HandlerFunction: TypeAlias = Callable[[Any, Any], Awaitable[None]]
F = TypeVar("F", bound=HandlerFunction)


@dataclass(frozen=True, slots=True)
class Handler:
    name: str
    """`<module>.<function>`, as stored in the jobs table."""
    event: type[Event]
    queue: str
    attempts: int
    function: HandlerFunction
    long: bool
    """A long handler opens its own transactions through a `JobContext`. A short one runs inside the one transaction
    that also marks its job done."""


class Queue(Protocol):
    """How performers learn that jobs are due. The jobs table is the truth: every call is best effort."""

    async def wake(self, jobs: Sequence[JobRow]) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def ping(self) -> None:
        """Raises when nobody can be woken."""


class SilentQueue:
    """Wakes nobody: the jobs wait in the table for a worker."""

    async def wake(self, jobs: Sequence[JobRow]) -> None: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def ping(self) -> None: ...


class MessageHub:
    def __init__(self) -> None:
        self.queue: Queue = SilentQueue()
        self._events: dict[str, type[Event]] = {}
        self._handlers: dict[str, Handler] = {}
        self._by_event: dict[type[Event], list[Handler]] = {}

    def on(self, event: type[Event], *, queue: str = "default", attempts: int = 5) -> Callable[[F], F]:
        """Decorator: call the function for each `event`, at most `attempts` times.

        The annotation of its second parameter says which kind it is: `JobContext` or `ServiceContext`. Raises
        `ValueError` for a second handler of a command, and for a name that is taken.
        """

        def register(function: F) -> F:
            handler = Handler(_name_of(function), event, queue, attempts, function, _is_long(function))
            handlers = self._by_event.setdefault(event, [])
            if event.is_command() and handlers:
                raise ValueError(f"the command {event.name} is handled by {handlers[0].name} already")
            if handler.name in self._handlers:
                raise ValueError(f"the handler name {handler.name} is taken")
            self._handlers[handler.name] = handler
            self._events[event.name] = event
            handlers.append(handler)
            return function

        return register

    async def publish(self, event: Event, context: "ServiceContext") -> EventRow:
        """Store `event`, secrets masked, and one job per handler in the caller's transaction. Touches no network; the
        queue is woken after the commit, best effort."""
        principal = context.principal
        payload = event.__pydantic_serializer__.to_json(event)
        # What a command says is what its handler does: a masked recipient or address would be another one.
        values = (
            new_ulid(),
            event.name,
            event.version,
            (payload if event.is_command() else redact_json(payload)).decode(),
            event.entity,
            event.entity_id,
            event.project_id,
            principal.workspace_id,
            principal.user_id,
            context.request_id,
            context.clock(),
        )
        jobs = [JobRow(new_ulid(), h.name, h.queue, h.attempts) for h in self._by_event.get(type(event), ())]
        position = await insert_event(context.session, values, jobs)
        if jobs:
            self.wake(context.session, jobs)
        return EventRow(position, *values)

    def wake(self, session: AsyncSession, jobs: Sequence[JobRow]) -> None:
        """Tell the queue of `jobs` once the transaction of `session` is committed."""
        waiting: list[JobRow] | None = session.info.get(_WAKE)
        if waiting is None:
            waiting = session.info[_WAKE] = []
            after_commit(session, lambda: self.queue.wake(waiting))
        waiting += jobs

    def events(self) -> list[type[Event]]:
        """Every event of the product, and those that this hub handles, by name."""
        ours = {event.name: event for event in _subclasses(Event) if event.__module__.startswith("backend.")}
        return [event for _, event in sorted({**ours, **self._events}.items())]

    def handlers(self) -> list[Handler]:
        return [self._handlers[name] for name in sorted(self._handlers)]

    def handler(self, name: str) -> Handler | None:
        return self._handlers.get(name)


hub = MessageHub()
"""The one that modules register with."""


def _subclasses(base: type[Event]) -> Iterator[type[Event]]:
    for event in base.__subclasses__():
        if "name" in event.__dict__:
            yield event
        yield from _subclasses(event)


def _name_of(function: HandlerFunction) -> str:
    parts = function.__module__.split(".")
    module = parts[parts.index("modules") + 1] if "modules" in parts[:-1] else parts[-1]
    return f"{module}.{function.__name__}"


def _is_long(function: HandlerFunction) -> bool:
    """By the name of the annotation, so that a handler may import its context for type checking only."""
    parameters = list(inspect.signature(function).parameters.values())
    annotation = parameters[1].annotation if len(parameters) == 2 else None
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    kind = name.rpartition(".")[2]
    if kind not in ("JobContext", "ServiceContext"):
        raise TypeError(f"{function.__name__} must take (event, context: ServiceContext | JobContext)")
    return kind == "JobContext"
