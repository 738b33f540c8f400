# PostgreSQL 17 with pgvector and pg_frontdesk, preloaded; the extension is created in POSTGRES_DB at the first start.

FROM rust:1.95-slim-bookworm AS rust

FROM postgres:17 AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      build-essential ca-certificates libclang-dev pkg-config postgresql-server-dev-17 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=rust /usr/local/cargo /usr/local/cargo
COPY --from=rust /usr/local/rustup /usr/local/rustup
ENV CARGO_HOME=/usr/local/cargo RUSTUP_HOME=/usr/local/rustup PATH=/usr/local/cargo/bin:$PATH
# Nobody looks into it with a debugger here: a quarter of the size.
ENV CARGO_PROFILE_MEASURED_DEBUG=false
WORKDIR /source
COPY Cargo.toml Cargo.lock pg_frontdesk.control ./
COPY .cargo .cargo
COPY crates crates
COPY sql sql
COPY src src
COPY tests tests
RUN cargo xtask package --out /package --pg-config /usr/lib/postgresql/17/bin/pg_config

FROM postgres:17
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates postgresql-17-pgvector \
 && rm -rf /var/lib/apt/lists/* \
 && echo 'create extension if not exists pg_frontdesk cascade;' > /docker-entrypoint-initdb.d/10_pg_frontdesk.sql
COPY --from=build /package/ /
CMD ["postgres", "-c", "shared_preload_libraries=pg_frontdesk"]
