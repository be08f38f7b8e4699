# syntax=docker/dockerfile:1

# The binary is built on the builder's own platform, for the one asked for: no emulation needed.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH VERSION=docker
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -tags nodemo -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /out/linkgate . \
    && mkdir -m 0700 /out/data

# Certificates, time zones and a user, and nothing else: no shell, so no HEALTHCHECK either. The
# platform asks /readyz on port 9090.
FROM gcr.io/distroless/static:nonroot
COPY --from=build /out/linkgate /linkgate
# A new volume takes the owner of what it covers.
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV DATA_DIR=/data \
    CONNECTIONS_FILE=/etc/linkgate/connections.yaml \
    LOG_FORMAT=json
VOLUME /data
# 8080 is for the host and browsers; 9090 is the operator's and must not be public.
EXPOSE 8080 9090
USER nonroot
ENTRYPOINT ["/linkgate"]
CMD ["serve"]
