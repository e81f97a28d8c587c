"""A client with code that protoc generated from the published files."""

import sys

from makegood.v1 import (
    credit_service_pb2,
    credit_service_pb2_grpc,
    refund_service_pb2,
    refund_service_pb2_grpc,
)

import stories


class Generated(stories.Desk):
    """Calls through the generated stubs."""

    name = "generated"

    def __init__(self, address):
        super().__init__(address)
        self.services = {
            "CreditService": (credit_service_pb2, credit_service_pb2_grpc.CreditServiceStub(self.channel)),
            "RefundService": (refund_service_pb2, refund_service_pb2_grpc.RefundServiceStub(self.channel)),
        }

    def method(self, service, method):
        messages, stub = self.services[service]
        return getattr(messages, f"{method}Request"), getattr(stub, method)


if __name__ == "__main__":
    sys.exit(stories.play(Generated(sys.argv[1])))
