#!/usr/bin/env bash
# Promise: the list of what functions in C call in kepler_internal (tests/pg_regress/sql/internal_functions.sql) is whole. What
# the sources name is in that list, or is done as the owner of the tables.
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../../tools/lib.sh"

# Called only while acting as the owner of Kepler's tables.
as_owner="begin_import begin_maintenance create_embedding_tables delete_workspace_part delete_workspace_rows deleted_along drop_changes_before drop_old_changes end_maintenance end_maintenance_run find_maintenance finish_import held_by_tables import_lines import_lines_here is_undercut kept_by_references last_anchor lock_relations make_partitions mark_workspace_deleted oldest_changes plan_uninstall redact_changes retention_floors rows_in_the_way run_on_other_nodes seal_changes seal_history_of_nodes set_lists_of_nodes try_maintenance verify_history_of_nodes"
# Called by views of a cluster, and not in C.
in_views=view_rows_in_parts
named() {
  grep -rhE 'kepler_internal\.[a-z_]+\(' "$ROOT/src" --include='*.rs' | grep -vE 'has_function_privilege|CREATE FUNCTION|EXECUTE FUNCTION|^ *//' |
    grep -oE 'kepler_internal\.[a-z_]+' | sed 's/.*\.//' | sort -u
}
listed() {
  { sed -n "s/^    ('[a-z_]*', '\([a-z_]*\)', .*/\1/p" "$ROOT/tests/pg_regress/sql/internal_functions.sql"
    tr ' ' '\n' <<<"$as_owner"; } | grep -vx "$in_views" | sort -u
}
difference=$(diff <(listed) <(named)) || die "the list and the sources differ: $difference"
