# syntax=docker/dockerfile:1
# One image for all: the operator, the auth service, the migrations and the command line. What runs is the first argument:
#   docker run cardea dist/main/auth.js
# The final stage has Node, the program and its dependencies: no shell, no package manager, no compiler.

FROM docker.io/library/node:26-trixie-slim AS node
WORKDIR /app

FROM node AS dependencies
COPY package.json package-lock.json ./
# Optional are the Node of developers without one; no package runs a script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node AS build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
# tsc leaves the migrations behind: they are SQL.
RUN ./node_modules/.bin/tsc -p tsconfig.build.json && cp -r src/db/migrations dist/db/migrations
# Node links against libatomic, which the final image does not have.
RUN mkdir /runtime && cp -L /usr/lib/*-linux-gnu/libatomic.so.1 /runtime/

FROM gcr.io/distroless/cc-debian13:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="cardea" \
      org.opencontainers.image.description="Business identity as Kubernetes resources" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
ENV NODE_ENV=production
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /runtime/libatomic.so.1 /usr/lib/libatomic.so.1
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# package.json says that these are modules, and which version they are.
COPY package.json LICENSE ./
# As a number, or runAsNonRoot cannot tell that it is not root.
USER 65532:65532
# No HEALTHCHECK: the kubelet asks /healthz and /readyz, and a container that runs `migrate` has neither.
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["dist/main/cli.js", "--help"]
