#!/bin/sh
# Where CloudServer's image has its own. What that does with the environment, s3-front does by itself.
set -eu
exec "$@"
