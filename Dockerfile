# Kometa-AI's image. Builds with Docker, Podman and buildah, for amd64 and arm64:
#
#   docker build --build-arg GIT_COMMIT="$(git rev-parse HEAD)" --tag kometa-ai .
#
# Another base: --build-arg PYTHON_IMAGE=registry.example/python:3.13-slim-trixie

ARG PYTHON_IMAGE=python:3.13-slim-trixie

# ---- The program and its libraries, in a folder of their own ---------------------------------------------------------
FROM ${PYTHON_IMAGE} AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# First what changes least. Wheels only: nothing is compiled, and no package's code runs while it is installed.
COPY requirements.txt requirements-build.txt ./
RUN python -m venv --without-pip /opt/kometa-ai \
 && python -m pip --python /opt/kometa-ai/bin/python install --no-compile --only-binary=:all: \
        --no-deps --require-hashes --requirement requirements.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --only-binary=:all: --no-deps --require-hashes \
        --requirement requirements-build.txt

COPY pyproject.toml README.md LICENSE ./
COPY kometa_ai ./kometa_ai
ARG GIT_COMMIT=""
RUN if [ -n "$GIT_COMMIT" ]; then echo "$GIT_COMMIT" > kometa_ai/COMMIT; fi \
 && /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && python -m pip --python /opt/kometa-ai/bin/python install --no-compile --no-deps --no-index /dist/*.whl \
 && python -m pip --python /opt/kometa-ai/bin/python check \
# Compiled here, once and for all: nobody can write there later.
 && /opt/kometa-ai/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/kometa-ai/lib

# ---- The image -------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE}

# tini, as process 1, passes signals on and buries orphans. No build of it is named, for Debian serves only the newest.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/apt /var/log/dpkg.log

COPY --from=build /opt/kometa-ai /opt/kometa-ai
RUN mkdir -p /app/kometa-config /app/state /app/logs && chown 1000:1000 /app/state /app/logs

ENV PATH=/opt/kometa-ai/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    PUID=1000 \
    PGID=1000 \
    UMASK=022 \
    TZ=UTC \
    SCHEDULE_INTERVAL=1d \
    SCHEDULE_START_TIME=03:00 \
    DEBUG_LOGGING=false \
    SMTP_PORT=25 \
    HTTP_HOST=0.0.0.0 \
    HTTP_PORT=7880 \
    CONFIG_DIR=/app/kometa-config \
    STATE_DIR=/app/state \
    LOG_DIR=/app/logs

# Kometa's folder is only ever read; mount it with :ro. State and logs are all that is written, and /tmp.
VOLUME ["/app/kometa-config", "/app/state", "/app/logs"]
WORKDIR /app
EXPOSE 7880
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=5m --timeout=30s --start-period=1m --retries=3 CMD ["kometa-ai", "--health-check"]

# Started as root, the program becomes PUID:PGID before it does anything; with `user:` it simply runs as that user.
# With --wait a daemon without its settings says on its page what is missing; without, the container would restart for ever.
ENTRYPOINT ["python", "-m", "kometa_ai.cli.container", "tini", "-s", "--", "kometa-ai", "--wait"]

ARG GIT_COMMIT=""
ARG VERSION=""
LABEL org.opencontainers.image.title="Kometa-AI" \
      org.opencontainers.image.description="Describe a Plex collection in plain words; a language model picks the movies or shows, Radarr or Sonarr carries the tag, Kometa builds it." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${GIT_COMMIT}"
