# All images: one base, one layer of what every service needs, then a target a service.
#
#   docker compose build                 all of them
#   docker build --target gateway .      one
#
# Only what BuildKit takes without a `# syntax=` line. No compiler is installed: every dependency comes as a wheel.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS base
ENV HOME=/tmp \
    LANG=C.UTF-8 \
    PATH=/opt/framewell/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/var/tmp
# Where volumes are mounted; what is mounted there is made the caller's by the service `ownership` of the compose file.
RUN python -m venv /opt/framewell && install -d -o 1000 -g 1000 -m 700 /state /cache /models

# Our own packages as wheels. What is needed to make them stays here.
FROM base AS wheels
WORKDIR /source
RUN --mount=type=cache,target=/tmp/.cache/pip pip install --quiet 'setuptools>=77' wheel
COPY proto proto
COPY common common
COPY fs-service fs-service
COPY thumbnail-service thumbnail-service
COPY metadata-service metadata-service
COPY search-service search-service
COPY gateway gateway
RUN pip wheel --quiet --no-deps --no-index --no-build-isolation --no-cache-dir --wheel-dir /wheels \
    ./proto ./common ./fs-service ./thumbnail-service ./metadata-service ./search-service ./gateway

# What every service needs, as a layer that all images share. It is made again only when a dependency changes.
FROM base AS common
WORKDIR /requirements
COPY deploy/dependencies.py .
COPY proto/pyproject.toml proto/
COPY common/pyproject.toml common/
RUN --mount=type=cache,target=/tmp/.cache/pip \
    python dependencies.py proto 'common[traces]' > common.txt && pip install --quiet -r common.txt
ARG VERSION=0.1.0
LABEL org.opencontainers.image.vendor="Framewell" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}"

# A service's last step also takes away the empty folder that the cache of pip was mounted at.
FROM common AS fs-service
COPY fs-service/pyproject.toml fs-service/
RUN --mount=type=cache,target=/tmp/.cache/pip \
    python dependencies.py fs-service > own.txt && pip install --quiet -r own.txt
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --quiet --no-deps --no-index --no-cache-dir \
    /wheels/framewell_proto-*.whl /wheels/framewell_common-*.whl /wheels/framewell_fs_service-*.whl \
    && rm -rf /tmp/.cache
LABEL org.opencontainers.image.title="framewell fs-service"
WORKDIR /
USER 1000:1000
ENV FS_LISTEN=0.0.0.0:50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "media_common.healthcheck", "grpc://127.0.0.1:50051"]
CMD ["python", "-m", "fs_service"]

FROM common AS thumbnail-service
COPY thumbnail-service/pyproject.toml thumbnail-service/
RUN --mount=type=cache,target=/tmp/.cache/pip \
    python dependencies.py thumbnail-service > own.txt && pip install --quiet -r own.txt
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --quiet --no-deps --no-index --no-cache-dir \
    /wheels/framewell_proto-*.whl /wheels/framewell_common-*.whl /wheels/framewell_thumbnail_service-*.whl \
    && rm -rf /tmp/.cache
LABEL org.opencontainers.image.title="framewell thumbnail-service"
WORKDIR /
USER 1000:1000
ENV THUMBNAIL_LISTEN=0.0.0.0:50054
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "media_common.healthcheck", "grpc://127.0.0.1:50054"]
CMD ["python", "-m", "thumbnail_service"]

FROM common AS metadata-service
COPY metadata-service/pyproject.toml metadata-service/
RUN --mount=type=cache,target=/tmp/.cache/pip \
    python dependencies.py metadata-service > own.txt && pip install --quiet -r own.txt
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --quiet --no-deps --no-index --no-cache-dir \
    /wheels/framewell_proto-*.whl /wheels/framewell_common-*.whl /wheels/framewell_metadata_service-*.whl \
    && rm -rf /tmp/.cache
LABEL org.opencontainers.image.title="framewell metadata-service"
WORKDIR /
USER 1000:1000
ENV METADATA_LISTEN=0.0.0.0:50052
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "media_common.healthcheck", "grpc://127.0.0.1:50052"]
CMD ["python", "-m", "metadata_service"]

FROM common AS search-service
# torch first and by itself: it is most of the image, and its version for processors is on an index of its own.
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
COPY tools/install_models.py .
RUN --mount=type=cache,target=/tmp/.cache/pip \
    TORCH_INDEX_URL="${TORCH_INDEX_URL}" python install_models.py --torch-only
COPY search-service/pyproject.toml search-service/
RUN --mount=type=cache,target=/tmp/.cache/pip \
    python dependencies.py 'search-service[ml]' > own.txt && pip install --quiet -r own.txt
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --quiet --no-deps --no-index --no-cache-dir \
    /wheels/framewell_proto-*.whl /wheels/framewell_common-*.whl /wheels/framewell_search_service-*.whl \
    && rm -rf /tmp/.cache
LABEL org.opencontainers.image.title="framewell search-service"
WORKDIR /
USER 1000:1000
# Weights that are fetched are kept in a volume.
ENV SEARCH_LISTEN=0.0.0.0:50053 \
    HF_HOME=/models \
    TORCH_HOME=/models/torch
# Health of the process: without a model it cannot search, and is well all the same. `/health/ready` tells both apart.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "media_common.healthcheck", "grpc://127.0.0.1:50053"]
CMD ["python", "-m", "search_service"]

FROM common AS gateway
COPY gateway/pyproject.toml gateway/
RUN --mount=type=cache,target=/tmp/.cache/pip \
    python dependencies.py gateway > own.txt && pip install --quiet -r own.txt
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --quiet --no-deps --no-index --no-cache-dir \
    /wheels/framewell_proto-*.whl /wheels/framewell_common-*.whl /wheels/framewell_gateway-*.whl \
    && rm -rf /tmp/.cache
LABEL org.opencontainers.image.title="framewell gateway"
WORKDIR /
USER 1000:1000
ENV FRAMEWELL_HOST=0.0.0.0 \
    FRAMEWELL_PORT=8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "media_common.healthcheck", "http://127.0.0.1:8080/health/live"]
CMD ["python", "-m", "gateway"]
