"""Single calls that a server refuses for now."""

import asyncio
import concurrent.futures
import time
import unittest

import grpc
from fake_server import refusal

import sightline
from sightline import _schema


class UnaryTest(unittest.TestCase):
    """A single call that is refused for now is made again within its deadline, and no other."""
    def answers(self, *refusals):
        """A server whose GetServerInfo is refused so and then answers; the list grows with every call."""
        calls = []
        method = _schema.METHODS["ServerService/GetServerInfo"]

        def answer(_, context):
            calls.append(time.monotonic())
            if len(calls) <= len(refusals):
                code, retry_after = refusals[len(calls) - 1]
                request = _schema.message("IndexStreamRequest")
                status = refusal(request, code.value[0], retry_after).status
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
                context.abort(code, status.message)
            return method.response(version="1")

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                return grpc.unary_unary_rpc_method_handler(answer, method.request.FromString,
                                                           method.response.SerializeToString)

        server = grpc.server(concurrent.futures.ThreadPoolExecutor(2), handlers=[Handler()])
        self.addCleanup(lambda: server.stop(None).wait())
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        return address, calls

    def ask(self, address, **options):
        """Both clients in turn."""
        async def use():
            async with sightline.AsyncClient(address) as client:
                return (await client.server_info(**options)).version

        def plain():
            with sightline.Client(address) as client:
                return client.server_info(**options).version

        return plain, lambda: asyncio.run(use())

    def test_it_waits_as_long_as_the_server_asks(self):
        busy = grpc.StatusCode.RESOURCE_EXHAUSTED
        for number in range(2):
            address, calls = self.answers((busy, 0.2), (grpc.StatusCode.UNAVAILABLE, 0.1))
            self.assertEqual(self.ask(address)[number](), "1")
            self.assertEqual(len(calls), 3)
            self.assertGreaterEqual(calls[1] - calls[0], 0.2)

    def test_it_does_not_wait_beyond_its_deadline_or_in_vain(self):
        busy = grpc.StatusCode.RESOURCE_EXHAUSTED
        for first, kind in (((busy, 0.9), sightline.ResourceExhaustedError),
                            ((busy, None), sightline.ResourceExhaustedError), ((grpc.StatusCode.UNAVAILABLE, None),
                                                                               sightline.UnavailableError),
                            ((grpc.StatusCode.INVALID_ARGUMENT, 0.1), sightline.InvalidArgumentError)):
            for number in range(2):
                address, calls = self.answers(first)
                with self.assertRaises(kind) as caught:
                    self.ask(address, timeout=0.8 if first[1] == 0.9 else 20)[number]()
                self.assertEqual((len(calls), caught.exception.retry_after), (1, first[1]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
