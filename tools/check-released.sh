#!/usr/bin/env bash
# What has been released stays as it was, without a server. tests/upgrade has a folder for each release, and
# schema.sha256 in it lists the files of sql/schema as they were released: databases have run them, and will not run
# them again. A change of a table is a new file, with a number above theirs.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
failures=0 files=0
complain() {
  echo "$1"
  failures=$((failures + 1))
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
newest=''
for released in $(find tests/upgrade -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | sed 's|.*/||' | sort -V); do
  list=tests/upgrade/$released/schema.sha256
  [[ -s $list ]] || { complain "$list is missing"; continue; }
  while read -r sum file; do
    files=$((files + 1))
    [[ $(sha256sum "sql/schema/$file" 2>/dev/null | cut -d' ' -f1) == "$sum" ]] ||
      complain "sql/schema/$file is not as version $released has it: take the change back, and make it in a new file"
  done <"$list"
  newest=$released
done

if [[ $newest == "$version" || $(printf '%s\n' "$newest" "$version" | sort -V | tail -n 1) != "$version" ]]; then
  complain "Cargo.toml: version $version does not come after the release $newest"
fi
# A file that sorts among the released ones would never run where those have run.
last=$(sed 's/.* //' "tests/upgrade/$newest/schema.sha256" | sort | tail -n 1)
for file in sql/schema/*.sql; do
  file=${file#sql/schema/}
  if [[ ! $file > $last ]] && ! grep -q " $file\$" "tests/upgrade/$newest/schema.sha256"; then
    complain "sql/schema/$file: its number is below that of $last, which version $newest has run"
  fi
done

# What the functions of a release call in the library is there. The test "upgrade" looks into the library itself, and at arguments.
functions=$(
  grep -rhoE --include='*.rs' '\bfn [a-z_0-9]+' src | sed 's/^fn //' | sort -u
  grep -ohE '[a-z_0-9]+' src/released.rs
)
for script in tests/upgrade/[0-9]*/kepler--*.sql.gz; do
  released=${script%/*} released=${released##*/}
  while IFS= read -r name; do
    complain "nothing in src has the name of the function $name, which version $released calls: add \"$released\": $name; to the list in src/released.rs"
  done < <(python3 tools/upgrade_script.py symbols "$script" | sed 's/_wrapper$//' | sort -u | comm -23 - <(sort -u <<<"$functions"))
done

# Databases come from the newest release by a script that make upgrade-script writes. It takes nothing for granted: what it creates is
# new, what it drops is there, and nothing of others goes with that.
script=sql/kepler--$newest--$version.sql
if [[ ! -f $script ]]; then
  complain "$script is missing: run make upgrade-script"
elif grep -nE '^(CREATE|DROP|ALTER) [A-Z ]*(IF (NOT )?EXISTS|.* CASCADE;)' "$script"; then
  complain "$script: see above"
fi

echo "$files released files, $failures failures"
[[ $files -gt 0 && $failures -eq 0 ]]
