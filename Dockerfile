# The program and nothing else: no shell, no package manager, no root.
#
#   docker build --tag makegood .
#
# What is built follows from Cargo.lock (--locked) and from .sqlx, so that no database is needed. tests/deploy checks that the
# files copied here are enough.

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
ENV SQLX_OFFLINE=true CARGO_INCREMENTAL=0
COPY Cargo.toml Cargo.lock build.rs ./
COPY .cargo .cargo
COPY .sqlx .sqlx
COPY benches benches
COPY migrations migrations
COPY policies policies
COPY proto proto
COPY third_party third_party
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin makegood \
    && cp target/release/makegood /makegood

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /makegood /usr/local/bin/makegood
USER 65532:65532
# An address that others can reach: the program refuses it until callers are recognised (docs/access.md).
ENV MAKEGOOD_LISTEN=0.0.0.0:50051 MAKEGOOD_HEALTH_LISTEN=127.0.0.1:50052 MAKEGOOD_LOG=json
EXPOSE 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/makegood", "health", "--endpoint", "http://127.0.0.1:50052"]
ENTRYPOINT ["/usr/local/bin/makegood"]
CMD ["serve"]
