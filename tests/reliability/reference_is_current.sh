#!/usr/bin/env bash
# docs/reference.md says what the catalog's comments say, on every version of Postgres.
set -euo pipefail
exec "$(dirname "$0")/../../tools/reference.sh" --check
