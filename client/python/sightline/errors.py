"""What can go wrong, one class per code of the API. The message is the server's own: a sentence that says what is wrong
and one that says what to do.

    try:
        client.search("shoe.jpg", collection="shop")
    except sightline.NotFoundError as error:
        print(error, error.reason, error.metadata)
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Type

from google.protobuf.message import DecodeError

from ._schema import Message, message_class


class SightlineError(Exception):
    """A call that failed. Every error of this package is one."""

    code = "UNKNOWN"

    def __init__(self,
                 message: str,
                 *,
                 reason: str = "",
                 metadata: Optional[Mapping[str, str]] = None,
                 retry_after: Optional[float] = None) -> None:
        super().__init__(message)
        #: What is wrong and what to do.
        self.message = message
        #: The same for programs: "COLLECTION_NOT_FOUND".
        self.reason = reason
        #: Facts: the field, the limit, the actual value.
        self.metadata: Dict[str, str] = dict(metadata or {})
        #: Seconds after which the server asks to try again; None where that would not help.
        self.retry_after = retry_after

    def __reduce__(self) -> Tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.reason, self.metadata, self.retry_after)


class CancelledError(SightlineError):
    """The call or the operation was cancelled."""

    code = "CANCELLED"


class UnknownError(SightlineError):
    """Something that has no code."""


class InvalidArgumentError(SightlineError, ValueError):
    """A value is missing, malformed or beyond its limit. Also raised by this package, before anything is sent."""

    code = "INVALID_ARGUMENT"


class DeadlineExceededError(SightlineError, TimeoutError):
    """No answer in time."""

    code = "DEADLINE_EXCEEDED"


class NotFoundError(SightlineError, LookupError):
    """There is no such collection, image, model, snapshot or operation."""

    code = "NOT_FOUND"


class AlreadyExistsError(SightlineError):
    """The name is taken."""

    code = "ALREADY_EXISTS"


class PermissionDeniedError(SightlineError):
    """The key does not reach this far."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(SightlineError):
    """A queue is full, or a quota used up."""

    code = "RESOURCE_EXHAUSTED"


class FailedPreconditionError(SightlineError):
    """The collection, the model or the client is not in the state that the call needs."""

    code = "FAILED_PRECONDITION"


class AbortedError(SightlineError):
    """Something came in between. Trying again helps."""

    code = "ABORTED"


class OutOfRangeError(SightlineError):
    """A value is beyond the end of what is there."""

    code = "OUT_OF_RANGE"


class UnimplementedError(SightlineError):
    """The server does not offer this."""

    code = "UNIMPLEMENTED"


class InternalError(SightlineError):
    """A disk that refuses, or a fault of the server."""

    code = "INTERNAL"


class UnavailableError(SightlineError, ConnectionError):
    """The server is stopping, not ready, or cannot be reached. Trying again later helps."""

    code = "UNAVAILABLE"


class DataLossError(SightlineError):
    """What is stored fails its checksum."""

    code = "DATA_LOSS"


class UnauthenticatedError(SightlineError):
    """The server wants an API key, and got none or a wrong one."""

    code = "UNAUTHENTICATED"


# By gRPC's numbers.
_BY_NUMBER: Dict[int, Type[SightlineError]] = {
    1: CancelledError,
    2: UnknownError,
    3: InvalidArgumentError,
    4: DeadlineExceededError,
    5: NotFoundError,
    6: AlreadyExistsError,
    7: PermissionDeniedError,
    8: ResourceExhaustedError,
    9: FailedPreconditionError,
    10: AbortedError,
    11: OutOfRangeError,
    12: UnimplementedError,
    13: InternalError,
    14: UnavailableError,
    15: DataLossError,
    16: UnauthenticatedError,
}
_DETAILS = "grpc-status-details-bin"


def _rebuild(kind: Type[SightlineError], text: str, reason: str, metadata: Dict[str, str],
             retry_after: Optional[float]) -> SightlineError:
    """Unpickles an error."""
    return kind(text, reason=reason, metadata=metadata, retry_after=retry_after)


def invalid(reason: str, text: str, **metadata: Any) -> InvalidArgumentError:
    """What this package itself refuses."""
    return InvalidArgumentError(text, reason=reason, metadata={key: str(value) for key, value in metadata.items()})


def from_status(status: Message) -> Optional[SightlineError]:
    """The error that a google.rpc.Status stands for; None for OK."""
    if status.code == 0:
        return None
    reason, retry_after = "UNKNOWN", None
    metadata: Dict[str, str] = {}
    for detail in status.details:
        kind = detail.type_url.rpartition("/")[2]
        if kind == "google.rpc.ErrorInfo":
            info = message_class(kind).FromString(detail.value)
            reason, metadata = info.reason, {key: info.metadata[key] for key in sorted(info.metadata)}
        elif kind == "google.rpc.RetryInfo":
            delay = message_class(kind).FromString(detail.value).retry_delay
            retry_after = delay.seconds + delay.nanos / 1e9
    return _BY_NUMBER.get(status.code, UnknownError)(status.message,
                                                     reason=reason,
                                                     metadata=metadata,
                                                     retry_after=retry_after)


def from_call(number: int, details: Optional[str], trailers: Optional[Iterable[Tuple[str, Any]]], address: str,
              timeout: Optional[float]) -> SightlineError:
    """The error of a call that ended with gRPC's code `number`."""
    for key, value in trailers or ():
        if key == _DETAILS:
            try:
                error = from_status(message_class("google.rpc.Status").FromString(value))
            except DecodeError:
                continue  # of something between the server and here
            if error is not None:
                return error
    return _without_details(number, details or "", address, timeout)


def _without_details(number: int, details: str, address: str, timeout: Optional[float]) -> SightlineError:
    """Errors that gRPC itself makes speak of sockets and frames; say what they mean here."""
    facts = {"address": address}
    if number == 14:
        # "failed to connect to all addresses; last error: UNKNOWN: ipv4:...: Connection refused": what the system said.
        has_end = details.startswith(("failed to connect", "DNS resolution"))
        words = details.rpartition(": ")[2] if has_end else details
        if "http1" in words or "HTTP/1" in words:
            next_step = ("That is an HTTP address. Give the one of gRPC, which is --listen of the server and by "
                         "default port 50051.")
        elif words.startswith("Peer name"):
            next_step = ("Give the name that the server's certificate is for, or the server a certificate for this "
                         "one.")
        elif "SSL" in words or "certificate" in words:
            next_step = ("Give the authority that signed the server's certificate (tls=), or no tls= where the server "
                         "has none.")
        elif "Socket closed" in words or "reset" in words:
            next_step = "It was stopped, or wants TLS or a client certificate (tls=): look at how it was started."
        elif words.startswith("Domain name"):
            next_step = "Check the name of the host."
        else:
            next_step = "Start sightline-server, or give the address it listens on."
        return UnavailableError(f"no server answers at {address} ({words}). {next_step}",
                                reason="SERVER_UNREACHABLE",
                                metadata=facts)
    if number == 1:
        # This package cancels no call that it still waits for: a server that shuts down dropped it.
        return UnavailableError(f"the server at {address} dropped the call, as it does when it shuts down. Try again.",
                                reason="CALL_DROPPED",
                                metadata=facts)
    if number == 4:
        return DeadlineExceededError(
            f"no answer from {address} within {timeout:g} s. Allow more time (timeout=), or ask for less."
            if timeout is not None else f"no answer from {address} in time. Allow more time.",
            reason="DEADLINE_EXCEEDED",
            metadata=facts)
    if number == 8 and "larger than max" in details:
        return ResourceExhaustedError(
            f"the message is beyond a limit: {details}. Send or ask for less, or raise "
            "max_message_bytes on both sides.",
            reason="MESSAGE_TOO_LARGE",
            metadata=facts)
    if number == 12:
        return UnimplementedError(
            f"the server at {address} does not offer this call ({details}). Check that the address is that "
            "of a Sightline server as new as this package.",
            reason="UNIMPLEMENTED",
            metadata=facts)
    return _BY_NUMBER.get(number, UnknownError)(details or f"the call to {address} failed without saying why.",
                                                reason="UNKNOWN",
                                                metadata=facts)
