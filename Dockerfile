# Cordon's image: one static program, CA roots, time zones, and the list of what is in the program. `make image` puts these
# together in a directory and builds it from there; nothing is fetched.
FROM scratch
ARG VERSION
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="cordon" \
      org.opencontainers.image.description="Detects sensitive data in Amazon S3 and quarantines it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY . /
USER 65532:65532
ENTRYPOINT ["/cordon"]
