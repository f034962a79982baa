# Two stages: the build with its C libraries, then a small image with one binary and no shell tools beyond Debian's.
FROM rust:1.95-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends cmake pkg-config libssl-dev libcurl4-openssl-dev libpcap-dev
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin lidr

FROM debian:bookworm-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends libssl3 libpcap0.8 ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /var/lib/lidr --create-home lidr
COPY --from=build /src/target/release/lidr /usr/local/bin/lidr
USER lidr
WORKDIR /var/lib/lidr
ENTRYPOINT ["lidr"]
