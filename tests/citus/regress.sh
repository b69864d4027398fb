#!/usr/bin/env bash
# Promise: on a distributed database the regression files give what they give elsewhere, but for those that differs.txt lists. These
# run in a database in which no other one has left anything, errors do not end their transactions, and they give what
# differs/SUITE/NAME.diff says.
# With "isolation" as its argument: the isolation specs.
# ACCEPT=1 takes what differs from elsewhere for the listed files: read it.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"
# shellcheck source=tools/results.sh
source "$ROOT/tools/results.sh"
# shellcheck source=tools/citus.sh
source "$ROOT/tools/citus.sh"
# shellcheck source=tools/suites.sh
source "$ROOT/tools/suites.sh"
# shellcheck source=tools/server-log.sh
source "$ROOT/tools/server-log.sh"

major=citus
accept=${ACCEPT:-} ACCEPT=
if [[ ${1:-} == isolation ]]; then
  kind=isolation
  driver=$DRIVERS/isolation/pg_isolation_regress
  mapfile -t names < <(select_files isolation specs spec)
else
  kind=pg_regress
  driver=$DRIVERS/regress/pg_regress
  mapfile -t names < <(select_files pg_regress sql sql)
fi
is_listed() { grep -q "^$kind | $1 | ${2:-otherwise} |" "$ROOT/tests/citus/differs.txt"; }

# database NAME: distributed; without the warnings of Citus about what it does not spread. What hangs is ended. In a transaction that
# asks many parts Citus refuses what comes after, unless it goes from one to the next: so it does that here, as it proposes.
database() {
  cluster_database "$1" install distribute
  on_node "$COORDINATOR" -d "$1" -c "ALTER DATABASE $1 SET citus.enable_unsupported_feature_messages = off" \
    -c "ALTER DATABASE $1 SET citus.multi_shard_modify_mode = sequential" -c "ALTER DATABASE $1 SET statement_timeout = '180s'"
  # A session may wait for another on a worker.
  [[ $kind != isolation ]] || on_node "$COORDINATOR" -d "$1" -o /dev/null -c 'SELECT citus_internal.replace_isolation_tester_func()'
}
# Citus works on other nodes in connections of the caller's role. So a role must be there before the transaction begins, and
# may log in. The roles of all files are made before; where a file makes or drops one, that is a comment.
roles() {
  local role
  # Those that are made as members of others come after them.
  { grep -rhoE 'CREATE ROLE [^;$]+;' "$ROOT/tests/$kind" 2>/dev/null || true; } | sort -u | awk '{ later = / IN ROLE /; print later, $0 }' | sort -s -k1,1n | cut -d' ' -f2- | while read -r role; do
    # The same name with other attributes is there already.
    on_node "$COORDINATOR" -d "$1" -c "${role%;} LOGIN" 2>/dev/null || true
  done
}
adapt() {
  sed -i -E 's/^( *)((CREATE|DROP) ROLE )/\1-- \2/' "$1"/sql/*.sql "$1"/specs/*.spec "$1"/expected/*.out 2>/dev/null || true
  [[ -z $goes_on ]] || sed -i '1s/^/\\set ON_ERROR_ROLLBACK on\n/' "$1"/sql/*.sql "$1"/expected/*.out
}
# What tells a node from another, and what Citus says besides, in the text that is read.
without_nodes() {
  sed -E -e '/^WARNING:  (savepoint |ERROR:  |canceling statement|connection to the remote node)/d' \
    -e '/^(CONTEXT:  )?while updating tuple /d' -e '/^(DETAIL:  )?another command is already in progress$/d' \
    -e 's/\b[A-Z][a-z]{2} [A-Z][a-z]{2} [0-9 ]{2} [0-9:.]{8,15} 20[2-9][0-9]( [A-Z]{3})?/TIME/g' -e '/^DETAIL:  from .*:[0-9]+$/d' -e '/^(CONTEXT:  )?while executing command on /d' -e 's/^CONTEXT:  //' \
    -e 's#/tmp/kepler-[0-9]+-(coordinator|worker[12])-citus#NODE#g' -e 's/_10[2-9][0-9]{3}\b/_SHARD/g' \
    -e 's/\bc[0-9a-z]{23}\b/CUID/g' -e 's/\b20[2-9][0-9]-[0-9]{2}-[0-9]{2}[ T][0-9:.]{8,15}([+-][0-9:]{2,5}| [A-Z]{3})?/TIME/g' \
    -e 's/pg_temp_[0-9]+/pg_temp/g' -e 's/"checksum":[0-9]+/"checksum":SUM/g' -e 's/--+/--/g' -e 's/  +/ /g' -e 's/ $//'
}
# is_otherwise KIND NAME FILE: after the file $out/results/NAME.out, which FILE compares.
is_otherwise() {
  local out=${3%/*} known=$ROOT/tests/citus/differs/$1/$2.diff
  diff -U0 <(without_nodes <"$out/expected/$2.out") <(without_nodes <"$out/results/$2.out") | sed -e 1,2d -e '/^@@/d' >"$out/$2.otherwise" || true
  is_listed "$2" || {
    [[ ! -s $out/$2.otherwise ]]
    return
  }
  echo "$1 $2" >>"$BUILD/citus-differs"
  if [[ -n $accept ]]; then
    mkdir -p "${known%/*}"
    cp "$out/$2.otherwise" "$known"
  fi
  diff -U3 "$known" "$out/$2.otherwise" >"$3" 2>&1
}

start_cluster
begin_log citus
shared=() alone=()
for name in ${names[@]+"${names[@]}"}; do
  if is_listed "$name" 'not run'; then continue; fi
  if is_listed "$name"; then alone+=("$name"); else shared+=("$name"); fi
done
database "kepler_citus_$kind"
roles "kepler_citus_$kind"
goes_on='' run_suite "$kind" "$driver" "kepler_citus_$kind" ${shared[@]+"${shared[@]}"}
goes_on=$([[ $kind == isolation ]] || echo yes)
state() { "$PG_BIN/psql" -XAtq -d kepler_citus_file -f "$ROOT/tests/citus/state.sql"; }
fresh=''
for name in ${alone[@]+"${alone[@]}"}; do
  # What all others have left in the feed is nothing to them.
  [[ $name != feed_* && -n $fresh ]] || {
    database kepler_citus_file
    fresh=$(state)
  }
  run_suite "$kind" "$driver" kepler_citus_file "$name"
  [[ $(state) == "$fresh" ]] || fresh=''
done
check "citus server-log/${1:-pg_regress}" log_is_clean citus
