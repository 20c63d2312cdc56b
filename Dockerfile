FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements.lock requirements-up.lock ./
RUN python -m venv /opt/ticketing \
    && /opt/ticketing/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && pip install --no-cache-dir --require-hashes -r requirements-up.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY migrations migrations
COPY sql sql
COPY spec spec
COPY docs/guides docs/guides
COPY scripts/node.py scripts/portal.py scripts/
COPY src src
# With the portal, which hatch_build.py builds with the Node.js of requirements-up.lock.
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir /wheels . \
    && /opt/ticketing/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.11-slim
RUN useradd --system --no-create-home ticketing
COPY --from=build /opt/ticketing /opt/ticketing
ENV PATH=/opt/ticketing/bin:$PATH
USER ticketing
EXPOSE 8080
ENTRYPOINT ["ticketing"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
