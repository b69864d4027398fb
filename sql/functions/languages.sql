-- The languages of a workspace, and words that are made anew in another one.

-- Fires before a workspace is made or changed: checks its languages, and moves updated_at on. Languages that go become former ones:
-- rows have them still. How far words were made anew is no change of the workspace.
CREATE FUNCTION kepler_internal.change_workspace() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    present constant text[] := NEW.other_languages || NEW.language;
BEGIN
    IF TG_OP = 'INSERT' THEN
        PERFORM kepler_internal.require_language(n.name) FROM unnest(present) AS n (name) WHERE n.name <> 'english';
        RETURN NEW;
    END IF;
    IF NEW.language <> OLD.language OR NEW.other_languages <> OLD.other_languages THEN
        PERFORM kepler_internal.require_language(n.name)
        FROM unnest(present) AS n (name) WHERE n.name <> ALL (OLD.other_languages || OLD.language);
        NEW.former_languages := ARRAY(
            SELECT DISTINCT n.name FROM unnest(NEW.former_languages || OLD.other_languages || OLD.language) AS n (name)
            WHERE n.name <> ALL (present) ORDER BY 1);
        NEW.language_set_at := clock_timestamp();
        NEW.words_place := NULL;
    ELSIF NEW.former_languages <> OLD.former_languages OR NEW.words_place IS DISTINCT FROM OLD.words_place THEN
        RETURN NEW;
    END IF;
    IF NEW.updated_at = OLD.updated_at AND NEW OPERATOR(pg_catalog.*<>) OLD THEN
        NEW.updated_at := clock_timestamp();
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION kepler.set_language(
    language text, other_languages text[] DEFAULT NULL, workspace_id text DEFAULT kepler.current_workspace_id()
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    given ALIAS FOR $2;
    others text[];
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_name('language', language);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_workspace(workspace_id);
    IF array_position(given, NULL) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument "other_languages" must not hold NULL';
    END IF;
    PERFORM FROM kepler.workspaces AS w WHERE w.id = workspace_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id),
            HINT = format('SELECT kepler.create_workspace(%L);', workspace_id);
    END IF;
    -- The same list, however it is given.
    others := ARRAY(SELECT DISTINCT n.name FROM unnest(given) AS n (name) WHERE n.name <> language ORDER BY 1);
    IF cardinality(others) > 30 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'argument "other_languages" must hold at most 30 languages',
            DETAIL = 'The words of a question are looked for in each of them.';
    END IF;
    UPDATE kepler.workspaces AS w
    SET language = $1, other_languages = CASE WHEN given IS NULL THEN array_remove(w.other_languages, $1) ELSE others END
    WHERE w.id = workspace_id
        AND (w.language <> $1 OR (given IS NOT NULL AND w.other_languages <> others));
END
$$;

-- Makes the words of so many rows anew, as far as they have a language that the workspace had before, and notes the place. Gives how
-- many were looked at. A day later all are looked at once more: a statement that ran when the languages were set may have written
-- rows as before.
CREATE FUNCTION kepler_internal.refresh_words(max_rows integer, workspace_id text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET kepler.plan_for_large_tables = on
AS $$
#variable_conflict use_variable
DECLARE
    workspace kepler.workspaces;
    settled boolean;
    last_memory text := '';
    last_message bigint := 0;
    memories text[];
    messages bigint[];
    looked integer := 0;
    more integer;
BEGIN
    SELECT * INTO workspace FROM kepler.workspaces AS w WHERE w.id = workspace_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = format('workspace "%s" does not exist', workspace_id),
            HINT = format('SELECT kepler.create_workspace(%L);', workspace_id);
    END IF;
    settled := coalesce(workspace.language_set_at < clock_timestamp() - interval '1 day', true);
    IF workspace.former_languages = '{}' OR (workspace.words_place = 'end' AND NOT settled) THEN
        RETURN 0;
    END IF;
    IF workspace.words_place LIKE 'messages %' THEN
        last_memory := NULL;
        last_message := substr(workspace.words_place, 10);
    ELSIF workspace.words_place LIKE 'memories %' THEN
        last_memory := substr(workspace.words_place, 10);
    END IF;
    IF last_memory IS NOT NULL THEN
        SELECT count(*), array_agg(n.id ORDER BY n.id) FILTER (WHERE coalesce(n.language, '') = ANY (workspace.former_languages)),
            (array_agg(n.id ORDER BY n.id DESC))[1]
        INTO looked, memories, last_memory
        FROM (
            SELECT m.id, m.language FROM kepler.memories AS m
            WHERE m.workspace_id = workspace_id AND m.id > last_memory ORDER BY m.workspace_id, m.id LIMIT max_rows
        ) AS n;
        IF memories IS NOT NULL THEN
            PERFORM FROM kepler.memories AS m WHERE m.workspace_id = workspace_id AND m.id = ANY (memories)
            ORDER BY m.id COLLATE "C" FOR NO KEY UPDATE;
            UPDATE kepler.memories AS m SET language = workspace.language
            WHERE m.workspace_id = workspace_id AND m.id = ANY (memories)
                AND coalesce(m.language, '') = ANY (workspace.former_languages);
        END IF;
        workspace.words_place := CASE WHEN looked = max_rows THEN 'memories ' || last_memory ELSE 'messages 0' END;
    END IF;
    IF looked < max_rows THEN
        SELECT count(*), array_agg(n.id ORDER BY n.id) FILTER (WHERE coalesce(n.language, '') = ANY (workspace.former_languages)), max(n.id)
        INTO more, messages, last_message
        FROM (
            SELECT m.id, m.language FROM kepler.messages AS m
            WHERE m.workspace_id = workspace_id AND m.id > last_message ORDER BY m.workspace_id, m.id LIMIT max_rows - looked
        ) AS n;
        IF messages IS NOT NULL THEN
            PERFORM FROM kepler.messages AS m WHERE m.workspace_id = workspace_id AND m.id = ANY (messages)
            ORDER BY m.id FOR NO KEY UPDATE;
            UPDATE kepler.messages AS m SET language = workspace.language
            WHERE m.workspace_id = workspace_id AND m.id = ANY (messages)
                AND coalesce(m.language, '') = ANY (workspace.former_languages);
        END IF;
        looked := looked + more;
        workspace.words_place := CASE WHEN looked = max_rows THEN 'messages ' || last_message ELSE 'end' END;
    END IF;
    UPDATE kepler.workspaces AS w
    SET words_place = CASE WHEN NOT is_over THEN workspace.words_place WHEN NOT settled THEN 'end' END,
        former_languages = CASE WHEN is_over AND settled THEN '{}' ELSE w.former_languages END
    FROM (SELECT workspace.words_place = 'end' AS is_over) AS e
    WHERE w.id = workspace_id;
    RETURN greatest(looked, 1);
END
$$;

CREATE FUNCTION kepler.refresh_words(max_rows integer DEFAULT 1000, workspace_id text DEFAULT kepler.current_workspace_id())
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM kepler_internal.require_tables();
    PERFORM kepler_internal.require_max_rows(max_rows, 100000);
    PERFORM kepler_internal.require_name('workspace_id', workspace_id);
    PERFORM kepler_internal.require_workspace(workspace_id);
    RETURN kepler_internal.refresh_words(max_rows, workspace_id);
END
$$;
