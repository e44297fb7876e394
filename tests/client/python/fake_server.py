"""A server of a few lines, whose answers to a stream the test chooses."""

import concurrent.futures

import grpc
import support  # noqa: F401  (puts the package on the path)

from sightline import _schema


def ok(request):
    """The reply to a write that is stored."""
    made = _schema.message("IndexStreamResponse", request_id=request.request.request_id)
    made.response.id = request.request.item.id
    made.response.revision = 1
    return made


def refusal(request, code, retry_after=None, reason="QUEUE_FULL"):
    """The reply to one that is not."""
    made = _schema.message("IndexStreamResponse", request_id=request.request.request_id)
    made.status.code = code
    made.status.message = "the queue is full. Try again later."
    info = _schema.message_class("google.rpc.ErrorInfo")(reason=reason)
    made.status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=info.SerializeToString())
    if retry_after is not None:
        retry = _schema.message_class("google.rpc.RetryInfo")()
        retry.retry_delay.nanos = int(retry_after * 1e9)
        made.status.details.add(type_url="type.googleapis.com/google.rpc.RetryInfo", value=retry.SerializeToString())
    return made


class FakeServer:
    """A server with one stream alone; `answer(requests, context)` gives its replies. A context manager."""
    def __init__(self, answer, name="IndexService/IndexStream"):
        method = _schema.METHODS[name]

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                if details.method != method.path:
                    return None
                return grpc.stream_stream_rpc_method_handler(answer, method.request.FromString,
                                                             method.response.SerializeToString)

        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(8),
                                   handlers=[Handler()],
                                   options=[("grpc.max_receive_message_length", -1), ("grpc.so_reuseport", 0)])
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stop(None).wait()
