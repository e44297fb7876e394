"""Operation: long work on the server, to be followed. It goes on without this program, also over a restart of the
server."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Generic, Optional, Type, TypeVar, Union, cast

from ._connection import checked_timeout
from .errors import (CancelledError, DeadlineExceededError, SightlineError, UnavailableError, UnknownError,
                     invalid)
from .records import OperationState

T = TypeVar("T")
H = TypeVar("H", bound=OperationState)

# Seconds between two looks.
_FIRST_POLL, _SLOWEST_POLL = 0.05, 1.0
# Seconds a server that restarts may be away: its operations go on, or begin again, when it is back.
_PATIENCE = 120.0


def _state(cls: Type[H], state: OperationState, client: Any) -> H:
    """`state` as a handle of `client`."""
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(OperationState)}
    return cast(H, cast(Any, cls)(**fields, client=client))


def result_of(operation: OperationState) -> Any:
    """What a work that has ended produced; raises what ended it otherwise."""
    if operation.state == "cancelled":
        raise CancelledError(f"{operation.name} was cancelled. Start it again if it is still wanted.",
                             reason="CANCELLED")
    if operation.state == "failed":
        error: Optional[SightlineError] = operation.error
        raise error or UnknownError(f"{operation.name} failed without saying why. See the server's log.",
                                    reason="OPERATION_FAILED")
    return operation.result


class Watch:
    """One wait for an operation's end: when to look again, and when to give up."""
    def __init__(self, operation: Union[str, OperationState], timeout: Optional[float]) -> None:
        if not isinstance(operation, (str, OperationState)):
            raise invalid("FIELD_INVALID",
                          f"operation is of type {type(operation).__name__}. Give an Operation, or its name.",
                          field="operation")
        self.name = operation if isinstance(operation, str) else operation.name
        self._timeout = None if timeout is None else checked_timeout(timeout)
        self._began = time.monotonic()
        self._poll = _FIRST_POLL
        self._away_since: Optional[float] = None

    def over(self, state: OperationState) -> bool:
        """True when it has ended; raises when the time is over first."""
        self._away_since = None
        if not state.ended and self._timeout is not None and time.monotonic() - self._began >= self._timeout:
            raise DeadlineExceededError(
                f"{self.name} has not ended within {self._timeout:g} s: {state.state}, {state.done} of "
                f"{state.total or 'unknown'} done. It goes on; wait again, or cancel it.",
                reason="OPERATION_RUNNING",
                metadata={"operation": self.name})
        return state.ended

    def away(self, error: UnavailableError) -> None:
        """The server did not answer; raises that when it has been so for too long."""
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        if now - self._away_since >= _PATIENCE or (self._timeout is not None and now - self._began >= self._timeout):
            raise error from None

    def pause(self) -> float:
        """Seconds until the next look."""
        poll, self._poll = self._poll, min(2 * self._poll, _SLOWEST_POLL)
        if self._timeout is not None:
            poll = min(poll, max(0.0, self._timeout - (time.monotonic() - self._began)))
        return poll


@dataclass(frozen=True)
class Operation(OperationState, Generic[T]):
    """Where a long work stood when the server was asked. `wait` follows it to its end."""

    client: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, state: OperationState, client: Any) -> Operation[Any]:
        """The handle of a client."""
        return _state(cls, state, client)

    def refresh(self) -> Operation[T]:
        """Where it stands now."""
        return cast("Operation[T]", self.client.get_operation(self.name))

    def cancel(self) -> Operation[T]:
        """Asks it to stop. Returns at once; `wait` then raises CancelledError."""
        return cast("Operation[T]", self.client.cancel_operation(self.name))

    def wait(self, timeout: Optional[float] = None, on_progress: Optional[Callable[[OperationState], Any]] = None) -> T:
        """Waits for the end and returns what was produced; raises the error of a work that failed or was cancelled, and
        DeadlineExceededError when `timeout` seconds have passed: the work then goes on."""
        return cast(T, self.client.wait_operation(self, timeout, on_progress))


@dataclass(frozen=True)
class AsyncOperation(OperationState, Generic[T]):
    """The same for AsyncClient."""

    client: Any = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, state: OperationState, client: Any) -> AsyncOperation[Any]:
        """The handle of a client."""
        return _state(cls, state, client)

    async def refresh(self) -> AsyncOperation[T]:
        """Where it stands now."""
        return cast("AsyncOperation[T]", await self.client.get_operation(self.name))

    async def cancel(self) -> AsyncOperation[T]:
        """Asks it to stop. Returns at once; `wait` then raises CancelledError."""
        return cast("AsyncOperation[T]", await self.client.cancel_operation(self.name))

    async def wait(self,
                   timeout: Optional[float] = None,
                   on_progress: Optional[Callable[[OperationState], Any]] = None) -> T:
        """Waits for the end and returns what was produced; raises the error of a work that failed or was cancelled, and
        DeadlineExceededError when `timeout` seconds have passed: the work then goes on."""
        return cast(T, await self.client.wait_operation(self, timeout, on_progress))
