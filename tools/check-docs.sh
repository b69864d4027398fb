#!/usr/bin/env bash
# What a reader of the pages relies on, without a server: links to files and headings lead somewhere; each promise in
# docs/promises.md, and each requirement in docs/systems.md, stands there once and names tests that exist and are run; functions and other names in back ticks are
# still called so; the code's outcomes are those of the reference; plots and tables show the same figures; README.md,
# kepler.control and Cargo.toml say the same of what Kepler is. (The SQL on the pages is run by tests/reliability/docs_examples.sh.)
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
failures=0 links=0
complain() {
  echo "$1"
  failures=$((failures + 1))
}

# headings FILE: as the names that links to them have.
# shellcheck disable=SC2016  # back ticks that are meant
headings() {
  sed -n '/^```/,/^```/d; s/^#\{1,\} //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9_ -]//g; s/ /-/g'
}
for file in README.md CHANGELOG.md CONTRIBUTING.md docs/*.md docs/plots/*.md examples/*/*.md clients/*/*.md tests/README.md benches/README.md; do
  while IFS= read -r link; do
    links=$((links + 1)) target=${link%%#*} heading=
    if [[ $link == *'#'* ]]; then heading=${link#*#}; fi
    if [[ -n $target ]]; then target=$(dirname "$file")/$target; else target=$file; fi
    # grep reads to the end: with -q the program before it would die of a closed pipe, and the link with it.
    if [[ ! -e $target ]] || { [[ -n $heading ]] && ! headings "$target" | grep -xF -- "$heading" >/dev/null; }; then
      complain "$file: the link to $link leads nowhere"
    fi
  done < <(grep -o '](\([^)]*\))' "$file" | sed 's/^](//; s/)$//' | grep -v '^https\?:' || true)
done

# is_run TEST: it is one of those that tools/test-postgres.sh runs, or tests/citus/run.sh.
is_run() {
  local name
  name=$(basename "${1%.*}")
  case $1 in
    tests/pg_regress/sql/*.sql) [[ -f tests/pg_regress/expected/$name.out ]] ;;
    tests/isolation/specs/*.spec) [[ -f tests/isolation/expected/$name.out ]] ;;
    tests/reliability/*.sh | tests/systems/*.sh | tests/citus/*.sh) ;;
    *) return 1 ;;
  esac
}
# shown PAGE: each row of the page's tables stands there once (in a section) and names tests; sets ROWS to their number.
shown() {
  local page=$1 row rows tests name path
  rows=$(awk '/^#/ { heading = $0 } /^[|] / && !/^[|] (promise|requirement) / { print heading "\t" $0 }' "$page")
  ROWS=0
  while IFS=$'\t' read -r _ row; do
    ROWS=$((ROWS + 1))
    tests=$(grep -o '\[[^]]*](\.\./tests/[^)]*)' <<<"$row" || true)
    [[ -n $tests ]] || complain "$page: no test shows this: $row"
    while IFS=']' read -r name path; do
      name=${name#[} path=${path#(../} path=${path%)}
      [[ -z $path || $(basename "${path%.*}") == "$name" ]] || complain "$page: $name is a link to $path"
      [[ -z $path ]] || is_run "$path" || complain "$page: $path is no test that is run"
    done <<<"$tests"
  done <<<"$rows"
  while IFS= read -r row; do complain "$page: stands there twice: $row"; done < <(
    # A promise stands once on its page, a requirement once for its system.
    awk -F '\t' -v page="$page" '{ split($2, cell, " [|] "); print (page ~ /systems/ ? $1 " " : "") cell[1] }' <<<"$rows" | sort | uniq -d
  )
}
shown docs/promises.md
promises=$ROWS
shown docs/systems.md
requirements=$ROWS

# Names with an underscore that stand in back ticks, alone or before a parenthesis, occur in the code or the tests. What is
# not ours, or is put together by the code, stands here.
elsewhere='db_table|dump_schemas|include_name|include_object|schema_search_path|agent_memories|mem_embeddings|query_to_xml|worker_threads|invalid_[a-z_]*|ts_ms|load_method'
elsewhere+='|create_distributed_function|records_102104|users_pkey_102010|after_begin|app_metadata|cleanup_server_connections|prepared_statements_cache_size|server_reset_query|track_extra_parameters'
word='[a-z][a-z0-9]*(_[a-z0-9]+)+'
known=$(
  {
    grep -rohE --include='*.rs' --include='*.sql' --include='*.sh' --include='*.py' --include='*.ts' --include='*.spec' "$word" \
      sql src tests benches tools examples clients
    find tests -type f | sed 's|.*/||; s|\..*||'
  } | sort -u
)
for file in README.md CONTRIBUTING.md docs/*.md examples/*/*.md clients/*/*.md tests/README.md benches/README.md; do
  [[ $file != docs/reference.md ]] || continue
  while IFS= read -r name; do complain "$file: \`$name\` is no name in the code"; done < <(
    # shellcheck disable=SC2016  # back ticks that are meant
    sed '/^```/,/^```/d' "$file" | grep -oE '`(kepler\.)?'"$word"'[(`]' | sed 's/^`//; s/^kepler\.//; s/[(`]$//' |
      grep -vxE "$elsewhere" | sort -u | comm -23 - <(echo "$known")
  )
done

# Outcomes are one list, in tools/reference_vocabulary.sql: it has each word of the enum and of functions in SQL, and no
# word that nothing says, but for those of syncs, which are to come.
coming='aborted|abandoned'
listed=$(sed -n "/^INSERT INTO outcomes/,/;$/s/^('\([a-z_]*\)'.*/\1/p" tools/reference_vocabulary.sql | sort)
said=$(
  {
    sed -n 's/.*=> "\([a-z_]*\)".*/\1/p' src/answer/outcome.rs
    grep -ohE "outcome := '[a-z_]+'" sql/functions/*.sql | cut -d"'" -f2
  } | sort -u
)
[[ -n $listed && -n $said ]] || complain "no outcomes were found: has src/answer/outcome.rs or tools/reference_vocabulary.sql another form?"
while IFS= read -r outcome; do
  [[ -z $outcome ]] || complain "tools/reference_vocabulary.sql lacks the outcome \"$outcome\""
done < <(comm -13 <(echo "$listed") <(echo "$said"))
while IFS= read -r outcome; do
  [[ -z $outcome ]] || grep -qrE --include='*.sql' --include='*.rs' --exclude=comments.sql "['\"]${outcome}['\"]" sql/functions src ||
    complain "tools/reference_vocabulary.sql: nothing answers with \"$outcome\""
done < <(comm -23 <(echo "$listed") <(echo "$said") | grep -vxE "$coming")

# The plots and the page of figures are those that docs/plots/growth.json gives.
plots=$(python3 tools/plots.py --check) || complain "$plots"
plots=$(python3 tools/plot_words.py --check 2>&1) || complain "$plots"

# The sentence behind "extension for", wherever its lines break.
sentence=$(tr '\n' ' ' <README.md | sed 's/.*Kepler is a Postgres extension for \([^.]*\)\. .*/\1/')
grep -qF "comment = '$sentence'" kepler.control || complain "kepler.control: the comment is not that of README.md: $sentence"
grep -qF "extension for $sentence\"" Cargo.toml || complain "Cargo.toml: the description is not that of README.md: $sentence"

echo "$links links, $promises promises, $requirements requirements, $failures failures"
[[ $links -gt 0 && $promises -gt 0 && $requirements -gt 0 && $failures -eq 0 ]]
