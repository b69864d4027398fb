#!/usr/bin/env bash
# The SQL in README.md and the guides in docs/ does what they say. The blocks of a file run in order, each
# in a session of its own, in one fresh database:
#   ```sql          must succeed
#   ```sql error    must fail
#   ```sql no-run   is not run
# A ```text block right behind is the output (of an error: message, detail and hint) and must match
# but for white space at the ends of lines. What needs no server (links, promises) is tools/check-docs.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
work=$(mktemp -d)
database=kepler_docs_examples

psql() { "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -v SHOW_CONTEXT=never "$@"; }
# tests/citus/pages.sh runs the same on a cluster: with a fresh_database of its own, after_block behind each block, and
# is_otherwise FILE BLOCK for those that are known to be otherwise there.
declare -F fresh_database >/dev/null || fresh_database() {
  psql -d postgres -c 'SET client_min_messages = warning' -c "DROP DATABASE IF EXISTS $database WITH (FORCE)"
  [[ $1 == dropped ]] || psql -d postgres -c "CREATE DATABASE $database TEMPLATE template0 ENCODING 'UTF8'"
}
declare -F after_block >/dev/null || after_block() { :; }
declare -F is_otherwise >/dev/null || is_otherwise() { return 1; }
# shellcheck disable=SC2329  # called by the trap
clean_up() {
  rm -rf "$work"
  fresh_database dropped
}
trap clean_up EXIT

# cut_blocks FILE: NNN.sql, NNN.kind ("sql", "sql error", …), NNN.line and perhaps NNN.text in $work.
cut_blocks() {
  rm -f "$work"/*
  awk -v work="$work" '
    !inside && /^```/ {
      kind = substr($0, 4); inside = 1; target = ""
      if (kind ~ /^sql( |$)/) {
        name = sprintf("%s/%03d", work, ++count); target = name ".sql"
        print kind >(name ".kind"); print NR >(name ".line"); printf "" >target
        open = 1
      } else if (kind == "text" && open) { target = name ".text"; printf "" >target; open = 0 }
      else open = 0
      next
    }
    inside && /^```$/ { inside = 0; next }
    inside { if (target) print >target; next }
    /[^ ]/ { open = 0 }
    END { if (inside) { print "a block is not closed" >"/dev/stderr"; exit 1 } }' "$1"
}

cd "$root"
failures=0 ran=0
complain() {
  echo "$1"
  failures=$((failures + 1))
}

for file in README.md docs/guide.md docs/entry-tables.md docs/enrichment.md docs/workflows.md docs/documents.md \
  docs/memory.md docs/retrieval.md docs/conversations.md docs/agents.md docs/sync.md docs/connectors.md docs/feed.md docs/history.md docs/change-data-capture.md \
  docs/prisma.md docs/blueprints.md docs/workspaces.md docs/operations.md docs/maintenance.md docs/retention.md \
  docs/monitoring.md docs/citus.md; do
  [[ -z ${PAGES:-} || " $PAGES " == *" $file "* ]] || continue
  fresh_database created
  cut_blocks "$file"
  for block in "$work"/*.sql; do
    if [[ ! -f $block ]]; then
      complain "$file: holds no SQL"
      continue
    fi
    block=${block%.sql} kind=$(<"${block}.kind") line=$(<"${block}.line")
    case $kind in
      sql) wanted=0 ;;
      'sql error') wanted=3 ;;
      'sql no-run') continue ;;
      *)
        complain "$file:$line: unknown kind of block: $kind"
        continue
        ;;
    esac
    ran=$((ran + 1)) status=0
    psql -d "$database" <"$block.sql" >"$block.out" 2>"$block.err" || status=$?
    if is_otherwise "$file" "$block"; then continue; fi
    if [[ $status -ne $wanted ]]; then
      complain "$file:$line: psql ended with status $status, not $wanted"
      cat "$block.out" "$block.err"
    elif [[ -f $block.text ]]; then
      if [[ $wanted -ne 0 ]]; then grep -v '^LINE \|^ *^' "$block.err" >"$block.out" || true; fi
      diff -u --label "$file:$line" --label "real output" \
        <(sed 's/ *$//' "$block.text" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}') \
        <(sed 's/ *$//' "$block.out" | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}') ||
        complain "$file:$line: the output is another"
    fi
    after_block "$block.sql"
  done
done
"$root/tools/check-docs.sh" || failures=$((failures + 1))

echo "$ran blocks, $failures failures"
[[ $ran -gt 0 && $failures -eq 0 ]]
