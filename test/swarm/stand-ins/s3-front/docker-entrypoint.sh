#!/bin/sh
# Takes CloudServer's names for the two keys.
set -eu
if [ -n "${SCALITY_ACCESS_KEY_ID:-}" ]; then export S3_ACCESS_KEY="$SCALITY_ACCESS_KEY_ID"; fi
if [ -n "${SCALITY_SECRET_ACCESS_KEY:-}" ]; then export S3_SECRET_KEY="$SCALITY_SECRET_ACCESS_KEY"; fi
exec "$@"
