"""A client without generated code: what it may call, and with what, it learns from the server."""

import sys

from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

import stories

PACKAGE = "makegood.v1"
SERVICES = ["AccountService", "CreditService", "IncidentService", "PolicyService", "RefundService"]


class Reflected(stories.Desk):
    """Builds its messages from descriptors that the server sent."""

    name = "reflected"

    def __init__(self, address):
        super().__init__(address)
        self.database = ProtoReflectionDescriptorDatabase(self.channel)
        self.pool = descriptor_pool.DescriptorPool(self.database)

    def method(self, service, method):
        found = self.pool.FindServiceByName(f"{PACKAGE}.{service}").methods_by_name[method]
        request, response = (message_factory.GetMessageClass(m) for m in (found.input_type, found.output_type))
        call = self.channel.unary_unary(
            f"/{PACKAGE}.{service}/{method}",
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        return request, call


def every_service_is_listed(desk):
    listed = set(desk.database.get_services())
    for service in [*(f"{PACKAGE}.{name}" for name in SERVICES), "grpc.health.v1.Health"]:
        stories.equal(service in listed, True, f"{service} is listed")


def every_method_is_described(desk):
    for service in SERVICES:
        methods = desk.pool.FindServiceByName(f"{PACKAGE}.{service}").methods
        stories.equal(len(methods) > 0, True, f"{service} has methods")


if __name__ == "__main__":
    sys.exit(stories.play(Reflected(sys.argv[1]), every_service_is_listed, every_method_is_described))
