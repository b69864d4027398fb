#!/usr/bin/env bash
# Builds the extension for both private Postgres versions (PG=16 or 18 for one), then runs the
# benchmarks (benches/run.sh), which start servers of their own with settings of their own.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

lock bench "$@"
export VERSIONS=${VERSIONS:-${PG:-$EMBEDDED}}
if [[ " ${GROUP:-} " == *" memory "* || " ${GROUP:-} " == *" words "* ]]; then "$ROOT/tools/prepare.sh" embedding; fi
if [[ " ${GROUP:-} " == *" words "* && ${MODELS:-wordllama} != wordllama ]]; then "$ROOT/tools/prepare.sh" sentence_models; fi
if [[ " ${GROUP:-} " == *" singer "* ]]; then "$ROOT/tools/prepare.sh" target; fi
if [[ " ${GROUP:-} " == *" blueprints "* ]]; then "$ROOT/tools/prepare.sh" prisma; fi
if [[ " ${GROUP:-} " == *" citus "* ]]; then
  [[ -n ${CITUS_PG_CONFIG:-} ]] || die "GROUP=citus: CITUS_PG_CONFIG must name the pg_config of a Postgres that has Citus"
  [[ -n ${KEPLER_INSTALLED:-} ]] || KEPLER_OWN_POSTGRES=yes "$ROOT/tools/build.sh" "$CITUS_PG_CONFIG"
  [[ $GROUP != citus ]] || VERSIONS=''
fi
for major in $VERSIONS; do
  "$ROOT/tools/build.sh" "$major"
done
exec bash "$ROOT/benches/run.sh" "$@"
