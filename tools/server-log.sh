# shellcheck shell=bash
# Reads what the private servers of one version logged during a suite: no statement may have ended with an internal
# error (class XX), and no process may have died by a signal that no test sent. Sourced by test-postgres.sh.
# What is known and why it stays is in tests/server-log-allowed.txt.

# server_logs MAJOR: the shared server's log and those of scratch servers, whose names end with -MAJOR.
server_logs() { find "$LOGS" -maxdepth 1 \( -name "server-$1.log" -o -name "server-*-$1.log" \) | sort; }

# begin_log MAJOR: what is logged from here on is what log_is_clean reads. A log of 100 MB begins anew.
declare -A LOG_READ
begin_log() {
  local log
  for log in $(server_logs "$1"); do
    LOG_READ[$log]=$(wc -c <"$log")
    if [[ ${LOG_READ[$log]} -gt 100000000 ]]; then : >"$log" && LOG_READ[$log]=0; fi
  done
}

# kill_backend PID: kills a process of a private server, on purpose.
kill_backend() {
  echo "$1" >>"$LOGS/killed-on-purpose"
  run_as_server_user "$(type -P kill)" -KILL "$1"
}

# log_is_clean MAJOR: prints what is not, each with its statement, and fails.
log_is_clean() {
  local log found
  found=$(
    for log in $(server_logs "$1"); do
      tail -c "+$((${LOG_READ[$log]:-0} + 1))" "$log" | log_faults
    done | cut -c1-500
  )
  [[ -z $found ]] || { printf '%s\n' "$found"; return 1; }
}

# log_faults: from a log, whose lines begin with "day time zone [pid] SQLSTATE database application LEVEL:". A fault is
# given with the lines of the same process behind it (DETAIL, STATEMENT), and left out if one of them is allowed.
log_faults() {
  local allowed=$ROOT/tests/server-log-allowed.txt killed=$LOGS/killed-on-purpose
  touch "$killed"
  awk -v allowed="$allowed" -v killed="$killed" '
    BEGIN {
      while ((getline line <allowed) > 0) if (line !~ /^(#|$)/) patterns[++count] = line
      while ((getline line <killed) > 0) purpose[line]
    }
    function give(  i) {
      for (i = 1; i <= count; i++) if (text ~ patterns[i]) text = ""
      if (text) print text
      text = ""
    }
    /^[0-9-]+ [0-9:.]+ [A-Z]+ \[[0-9]+\] / {
      fault = ($5 ~ /^XX/ && / (ERROR|FATAL|PANIC):  /) || / PANIC:  /
      if (match($0, /PID [0-9]+\) was terminated by |(server process|client backend) \(PID [0-9]+\) exited with /)) {
        pid = substr($0, index($0, "(PID ") + 5); sub(/\).*/, "", pid)
        fault = !(pid in purpose)
      }
      if (fault) { give(); text = $0; process = $4 }
      else if (text && $4 == process && / (DETAIL|HINT|CONTEXT|STATEMENT|QUERY|LOCATION):  /) text = text "\n" $0
      else if (text) give()
      next
    }
    text { text = text "\n" $0 }
    END { give() }'
}
