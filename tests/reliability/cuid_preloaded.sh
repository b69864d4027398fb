#!/usr/bin/env bash
# Promise: kepler.cuid() gives no id twice, even where the library is loaded before the sessions fork from
# the postmaster, which would hand them all the same random state. Sixteen sessions at once draw a million
# ids, each session in ascending order; what is random in its first id is random in each.
# Runs on: 16, because it is about the library.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

major=${PG_MAJOR:-${PG:-18}}
name=cuid-$major sessions=16 ids=62500
work=$(mktemp -d)
trap 'remove_server "$name" "$major"; rm -rf "$work"' EXIT
start_server "$name" "$major" "shared_preload_libraries = 'kepler'"
run_psql() { "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }
run_psql -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION kepler CASCADE'
[[ $(run_psql -c 'SHOW shared_preload_libraries') == kepler ]] || die "the library is not preloaded"

pids=()
for ((i = 1; i <= sessions; i++)); do
  run_psql -c "SELECT kepler.cuid() FROM generate_series(1, $ids)" >"$work/$i" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done

total=$(cat "$work"/* | wc -l)
[[ $total -eq $((sessions * ids)) ]] || die "$total ids instead of $((sessions * ids))"
malformed=$(cat "$work"/* | LC_ALL=C grep -Evc '^[a-z][a-z0-9]{23}$' || true)
[[ $malformed -eq 0 ]] || die "$malformed ids are malformed"
for file in "$work"/*; do
  LC_ALL=C sort -cu "$file" || die "the ids of a session are out of order"
done
first=$(for file in "$work"/*; do head -n 1 "$file" | cut -c11-; done | sort -u | wc -l)
[[ $first -eq $sessions ]] || die "$((sessions - first)) sessions begin with the randomness of another"
duplicates=$(cat "$work"/* | LC_ALL=C sort | uniq -d | wc -l)
[[ $duplicates -eq 0 ]] || die "$duplicates ids were given more than once"
echo "$total ids from $sessions sessions, none twice"
