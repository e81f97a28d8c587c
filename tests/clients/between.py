"""Stands between a client and the service, refuses, and remembers what it was asked."""

import dataclasses
from concurrent import futures

import grpc

# The service's answer, and what the transport adds by itself.
NOT_PASSED_ON = ("user-agent", "content-type", "date", "grpc-", ":")


@dataclasses.dataclass
class Attempt:
    """One attempt at a call, as it arrived."""

    path: str
    request: bytes
    metadata: dict
    seconds_left: float


class Between(grpc.GenericRpcHandler):
    """Refuses the first attempts at a call with `UNAVAILABLE`, and passes the others on."""

    def __init__(self, address, refused=1):
        self.refused = refused
        self.attempts = []
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)])
        self.server = grpc.server(futures.ThreadPoolExecutor(4), handlers=[self])
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(None).wait()
        self.channel.close()

    def service(self, call):
        path, metadata = call.method, dict(call.invocation_metadata)
        return grpc.unary_unary_rpc_method_handler(lambda *asked: self.answer(path, metadata, *asked))

    def answer(self, path, metadata, request, context):
        self.attempts.append(Attempt(path, request, metadata, context.time_remaining()))
        if len(self.attempts) <= self.refused:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        passed_on = [pair for pair in metadata.items() if not pair[0].startswith(NOT_PASSED_ON)]
        try:
            answer, call = self.channel.unary_unary(path).with_call(
                request, metadata=passed_on, timeout=context.time_remaining()
            )
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata())
            context.abort(error.code(), error.details())
        told = [pair for pair in call.initial_metadata() if not pair[0].startswith(NOT_PASSED_ON)]
        context.send_initial_metadata(told)
        return answer
