# The image of one mallgate process: the run-time packages that requirements.lock pins, hashes verified, and the program.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /tools && python -m venv --without-pip /opt/mallgate
COPY requirements.lock ./
RUN sed -n '/^uv==/,/[^\\]$/p' requirements.lock > /tools/uv.lock \
    && /tools/bin/pip install --no-cache-dir --require-hashes --requirement /tools/uv.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY adapters adapters
COPY schemas schemas
RUN /tools/bin/uv pip install --no-cache --python /opt/mallgate/bin/python --compile-bytecode \
    --constraints requirements.lock --build-constraints requirements.lock .

FROM python:3.13-slim
RUN useradd --system --create-home --home-dir /var/lib/mallgate mallgate
COPY --from=build /opt/mallgate /opt/mallgate
# Vendors come from everywhere. Operators (8081) and probes (8082) are let in from beyond the container by
# MALLGATE_ADMIN_HOST and MALLGATE_OPS_HOST, where the network between is yours.
ENV PATH=/opt/mallgate/bin:$PATH MALLGATE_SPOOL_DIR=/var/lib/mallgate/spool \
    MALLGATE_HOST=0.0.0.0 MALLGATE_PORT=8080 MALLGATE_ADMIN_PORT=8081 MALLGATE_OPS_PORT=8082
RUN install -d -o mallgate -g mallgate /var/lib/mallgate/spool
USER mallgate
WORKDIR /var/lib/mallgate
EXPOSE 8080 8081 8082
# The process drains for 30 s on SIGTERM; whoever stops it should wait longer than that.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=6 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8082/readyz', timeout=2)"]
ENTRYPOINT ["mallgate"]
CMD ["run"]
