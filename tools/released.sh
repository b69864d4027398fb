# shellcheck shell=bash
# A server on which released versions of the extension can be created, for upgrades. Sourced after lib.sh.
#
# It has a folder of extensions of its own, in which all that is installed is linked, and beside that the SQL of the releases and
# the scripts of this checkout. So no file of a release comes into the folder of the other servers, which is what tools/build.sh
# looks at.

# The newest release, and the version of this checkout.
RELEASED=$(find "$ROOT/tests/upgrade" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*' | sed 's|.*/||' | sort -V | tail -n 1)
VERSION=$(sed -n 's/^version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml" | head -n 1)
export RELEASED VERSION

# start_released_server MAJOR: starts it and points psql at it.
start_released_server() {
  local major=$1 from to file version
  from=$(pg_prefix "$major")
  # At the same depth: the programs find their shared libraries from there.
  to=$BUILD/postgres-released-$major/${from#"$BUILD"/*/}
  mkdir -p "$to/bin" "$to/lib" "$to/share/postgresql/extension"
  for file in "$BUILD"/postgres/*; do [[ $file == */"$(basename "$(dirname "$to")")" ]] || ln -sfn "$file" "$BUILD/postgres-released-$major/"; done
  # Programs find their files beside where they lie themselves: they are copied, and all else is linked.
  for file in postgres pg_ctl pg_config psql pg_dump pg_isready; do
    cmp -s "$from/bin/$file" "$to/bin/$file" || { cp "$from/bin/$file" "$to/bin/$file.new" && mv -f "$to/bin/$file.new" "$to/bin/$file"; }
  done
  for file in "$from"/lib/*; do ln -sfn "$file" "$to/lib/"; done
  ln -sfn "$from/include" "$to/include"
  for file in "$from"/share/postgresql/*; do [[ $file == */extension ]] || ln -sfn "$file" "$to/share/postgresql/"; done
  find "$to/share/postgresql/extension" -mindepth 1 -delete
  ln -sfn "$from"/share/postgresql/extension/* "$to/share/postgresql/extension/"
  rm -f "$to/share/postgresql/extension"/kepler--*
  file=$from/share/postgresql/extension/kepler--$VERSION.sql
  [[ -f $file ]] || die "version $VERSION is not built for Postgres $major"
  ln -sfn "$file" "$to/share/postgresql/extension/"
  cp "$ROOT"/sql/kepler--*--*.sql "$to/share/postgresql/extension/" 2>/dev/null || true
  for version in "$ROOT"/tests/upgrade/[0-9]*; do
    version=${version##*/}
    gzip -dc "$ROOT/tests/upgrade/$version/kepler--$version.sql.gz" >"$to/share/postgresql/extension/kepler--$version.sql"
  done
  # Where the functions of server.sh look for it from here on.
  OTHER_PREFIX=$to
  start_server "released-$major" "$major" 'max_connections = 20' 'shared_buffers = 64MB' 'fsync = off'
}

released_sql() { PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 "$@"; }

# extension_database NAME [VERSION]: with the extension alone, and pgvector in a schema that the tool knows.
extension_database() {
  local version=${2:+"VERSION '$2'"}
  released_sql -d postgres -c "DROP DATABASE IF EXISTS $1 WITH (FORCE)" -c "CREATE DATABASE $1 TEMPLATE template0"
  released_sql -d "$1" -c 'CREATE SCHEMA schema_of_vector' -c 'CREATE EXTENSION vector SCHEMA schema_of_vector' \
    -c "CREATE EXTENSION kepler $version"
}

extension_catalog() { released_sql -d "$1" -f "$ROOT/tools/extension_catalog.sql"; }

# missing_symbols DATABASE: the C functions that the SQL of releases names and the library lacks, with their releases.
missing_symbols() {
  local version file
  for version in "$ROOT"/tests/upgrade/[0-9]*; do
    version=${version##*/} file=$OTHER_PREFIX/share/postgresql/extension/kepler--${version}.sql
    python3 "$ROOT/tools/upgrade_script.py" symbols "$file" | sed "s/.*/SELECT pg_temp.lacks('&', '$version');/"
  done | {
    echo "CREATE FUNCTION pg_temp.lacks(symbol text, version text) RETURNS SETOF text LANGUAGE plpgsql AS \$\$
      BEGIN
        EXECUTE format('CREATE OR REPLACE FUNCTION pg_temp.probe() RETURNS void LANGUAGE c AS %L, %L', 'kepler', symbol);
      EXCEPTION WHEN undefined_function THEN
        RETURN NEXT format('%s of version %s is not in the library: add \"%s\": %s; to the list in src/released.rs', symbol, version, version, regexp_replace(symbol, '_wrapper\$', ''));
      END \$\$;"
    cat
  } | released_sql -d "$1" -f -
}
