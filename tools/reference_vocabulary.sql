-- The words of Kepler's SQL, for the generator of the reference: it prints them, and reference_rules.sql checks what
-- is installed against them. A word that is missing here is a decision: docs/design.md says how names are chosen.
SET client_min_messages = warning;
SET search_path = pg_catalog, pg_temp;

-- The page's parts, and the functions of each in the order in which a reader meets them.
CREATE TEMPORARY TABLE parts (number integer, part text, about text, functions text[]);
INSERT INTO parts VALUES
(1, 'Installation and access', 'Kepler''s tables, who may use them, and how the database fares.',
    '{install,uninstall_report,uninstall,status,metrics,doctor,version,grant_access,revoke_access,use_workspace,current_workspace_id,find_secrets,cuid}'),
(14, 'Workspaces', 'The life of a tenant, and of what is stored about a person.',
    '{create_workspace,workspace_report,export_workspace,import_workspace,delete_workspace,export_user,erase_user}'),
(2, 'Records', 'What comes from other systems, one row for each thing there.',
    '{upsert_records,upsert_records_summary,upsert_record,delete_records,restore_records,archive_records,retry_rejects,purge_rejects,delete_connection,adopt_records,rename_entity,set_entity_options,record_document,jsonb_hash}'),
(3, 'Enrichment', 'Workers that find out more about records, under leases.',
    '{set_enrichment_policy,pause_enrichment,resume_enrichment,queue_backlog,drop_enrichment_policy,drop_backlog,claim_records,next_claim_at,extend_lease,settle_records,complete_records,fail_records,release_records,requeue_records,schedule_records,remove_enrichment_members,repair_enrichment,enrichment_transitions}'),
(4, 'Entry tables', 'Tables that users declare, and change without losing what they hold.',
    '{create_entry_table,plan_entry_table,alter_entry_table,drop_entry_table,restore_entry_table,rename_entry_table,purge_entry_table,restore_field,purge_field,entry_json_schema,structure_of}'),
(5, 'Entries', 'The rows of entry tables, in batches.',
    '{insert_entries,upsert_entries,update_entries,set_entry_links,delete_entries}'),
(6, 'Documents', 'JSON documents in any table: operations on them, and conditions.',
    '{json_update,update_document,upsert_document,json_matches}'),
(7, 'Workflows and executions', 'What automations need, and what became of their runs.',
    '{is_connected,required_connections,validate_workflow,start_execution,extend_execution,add_execution_steps,finish_execution,suspend_execution,answer_execution,resume_execution,cancel_execution,execution_retries,abandon_executions,execution_report,execution_report_by_user,execution_transitions,fold}'),
(8, 'Conversations', 'Messages in their order.',
    '{add_message,add_messages,conversation_window,search_messages,estimate_tokens}'),
(9, 'Memory', 'What agents remember, and how they find it.',
    '{remember,remember_many,search_memories,last_search,touch_memories,forget,end_memories,expire_memories,memory_history}'),
(10, 'Embeddings', 'Spaces for the embeddings of each model, their indexes, and searches in other tables.',
    '{create_embedding_space,pending_memory_embeddings,set_memory_embeddings,pending_message_embeddings,set_message_embeddings,activate_embedding_space,retire_embedding_space,drop_embedding_space,index_advice,recall_check,search_vectors}'),
(11, 'Sync runs', 'What a connector lists, and what becomes of that which it does not.',
    '{begin_sync,checkpoint_sync,merge_inbox,merge_inbox_batch,resume_sync,finish_sync,sweep_sync,abort_sync,abandon_syncs}'),
(12, 'Change feed', 'Which rows changed, for consumers that miss none.',
    '{track,untrack,feed_cursor,changes_since,acknowledge_changes,feed_lag,maintain_feed}'),
(14, 'History', 'What rows were before they were changed, by whom, and the proof that nobody changed that.',
    '{row_history,row_as_of,seal_history,verify_history}'),
(15, 'Maintenance', 'What must happen now and then.',
    '{maintain}'),
(16, 'Retention', 'How long rows are kept, and what deletes the older ones.',
    '{set_retention,drop_retention,run_retention,retention_report}'),
(13, 'Blueprints', 'Whole application models: tables and types that are planned, applied and compared together.',
    '{plan_blueprint,apply_blueprint,apply_blueprint_online,blueprint_drift,repair_blueprint,drop_blueprint,blueprint_diagram,blueprint_from_prisma,prisma_schema}');

-- What an element of a batch, and one thing, can be answered with.
CREATE TEMPORARY TABLE outcomes (number integer GENERATED ALWAYS AS IDENTITY, word text, means text);
INSERT INTO outcomes (word, means) VALUES
('inserted', 'It was not there and is now.'),
('updated', 'It was there and is changed.'),
('refreshed', 'The content is the same; only the time of the source is newer, and is noted.'),
('deleted', 'It is deleted; records softly, so that they can be restored.'),
('anonymised', 'It stays, without what says whose it is or was.'),
('restored', 'What was deleted or archived is back.'),
('archived', 'It is archived.'),
('merged', 'It was taken into one that was there (memories, with `dedupe`).'),
('unchanged', 'It is so already. Nothing was written.'),
('duplicate', 'This very request was done before: the same external id, idempotency key or report.'),
('stale', 'It came too late: an older version, a lost lease, a token that is not the run''s. Nothing was written.'),
('superseded', 'Something newer won: later in the batch, or the content changed meanwhile. Always said of the loser.'),
('rejected', 'It is not valid or not allowed here. `error_code` and `error` say why; the others land.'),
('not_found', 'There is nothing with this id.'),
('gone', 'It is deleted or archived.'),
('applied', 'Done for the first time: the result of an enrichment, a step of the schema.'),
('retried', 'The attempt failed, and the record waits for the next one.'),
('failed', 'The last attempt failed; requeue_records brings it back.'),
('released', 'It was given back without an attempt.'),
('requeued', 'It is queued anew, with all attempts before it.'),
('intact', 'Everything is as it was sealed.'),
('broken', 'Something was changed, added or removed. `problem` says what first.'),
('started', 'The run has begun.'),
('finished', 'The run has ended as reported.'),
('unfinished', 'A step is done, and more is left: call it again.'),
('aborted', 'The run was broken off.'),
('abandoned', 'The run was silent for too long.'),
('suspended', 'The run waits for a person.'),
('waiting', 'There is no answer yet.'),
('answered', 'The answer was taken.'),
('resumed', 'The run goes on.'),
('cancelled', 'The run was called off.');

-- Arguments that hold a batch: as text, json or jsonb.
CREATE TEMPORARY TABLE batches (argument text);
INSERT INTO batches VALUES ('records'), ('entries'), ('memories'), ('messages'), ('steps'), ('results'), ('embeddings'), ('links');

-- What acts is verb_object.
CREATE TEMPORARY TABLE verbs (verb text);
INSERT INTO verbs SELECT unnest('{abandon,abort,acknowledge,activate,add,adopt,alter,answer,apply,archive,begin,cancel,checkpoint,claim,
    complete,count,create,delete,distribute,drop,end,erase,expire,export,extend,fail,finish,find,get,grant,import,insert,
    list,maintain,merge,pause,plan,purge,queue,release,remove,rename,repair,requeue,restore,resume,retire,retry,revoke,run,schedule,seal,search,set,
    settle,start,suspend,sweep,touch,track,uninstall,undistribute,untrack,update,upsert,use,validate,verify}'::text[]);

-- What may break a rule, and why.
CREATE TEMPORARY TABLE exceptions (rule text, name text, reason text);
INSERT INTO exceptions VALUES
('verb_object', 'install', 'its object is Kepler itself'),
('verb_object', 'uninstall', 'its object is Kepler itself'), ('verb_object', 'uninstall_report', 'reads'),
('verb_object', 'maintain', 'its object is Kepler itself'),
('verb_object', 'track', 'its object is the table'),
('verb_object', 'untrack', 'its object is the table'),
('verb_object', 'changes_since', 'what only reads may be a noun'),
('verb_object', 'feed_cursor', 'what only reads may be a noun'),
('verb_object', 'feed_lag', 'what only reads may be a noun'),
('verb_object', 'row_as_of', 'what only reads may be a noun'),
('verb_object', 'row_history', 'what only reads may be a noun'),
('verb_object', 'remember', 'the field''s word for what agents do'),
('verb_object', 'remember_many', 'the plural of remember'),
('verb_object', 'forget', 'the opposite of remember'),
('verb_object', 'fold', 'a value of another: the field''s word for comparing without case'),
('verb_object', 'cuid', 'the name of what it gives'),
('verb_object', 'json_update', 'begins with the type of its value, as Postgres'' own json functions do'),
('verb_object', 'json_matches', 'begins with the type of its value, as Postgres'' own json functions do'),
('verb_object', 'jsonb_hash', 'begins with the type of its value, as Postgres'' own json functions do'),
('verb_object', 'estimate_tokens', 'gives a value and acts on nothing'),
('verb_object', 'blueprint_diagram', 'reads'), ('verb_object', 'blueprint_from_prisma', 'gives a value and acts on nothing'),
('verb_object', 'prisma_schema', 'reads'), ('verb_object', 'blueprint_drift', 'reads'),
('verb_object', 'conversation_window', 'reads'), ('verb_object', 'current_workspace_id', 'reads'),
('verb_object', 'enrichment_transitions', 'reads'), ('verb_object', 'entry_json_schema', 'reads'),
('verb_object', 'execution_report', 'reads'), ('verb_object', 'execution_report_by_user', 'reads'), ('verb_object', 'execution_retries', 'reads'), ('verb_object', 'execution_transitions', 'reads'),
('verb_object', 'index_advice', 'reads'), ('verb_object', 'is_connected', 'reads'),
('verb_object', 'last_search', 'reads'), ('verb_object', 'memory_history', 'reads'),
('verb_object', 'next_claim_at', 'reads'), ('verb_object', 'pending_memory_embeddings', 'reads'),
('verb_object', 'pending_message_embeddings', 'reads'), ('verb_object', 'recall_check', 'reads'),
('verb_object', 'record_document', 'reads'), ('verb_object', 'required_connections', 'reads'),
('verb_object', 'status', 'reads'), ('verb_object', 'metrics', 'reads'), ('verb_object', 'doctor', 'reads'), ('verb_object', 'structure_of', 'reads'), ('verb_object', 'version', 'reads'),
('verb_object', 'workspace_report', 'reads'), ('verb_object', 'retention_report', 'reads'),
('workspace_id', 'create_workspace', 'the workspace is what it makes'),
('workspace_id', 'delete_workspace', 'the workspace is what it acts on'),
('workspace_id', 'use_workspace', 'the workspace is what it chooses'),
('relation', 'import_workspace', 'an archive that was copied into a table; relation is a column of the answer'),
('plural', 'remember_many', 'the plural of remember'),
('plural', 'forget', 'the opposite of remember'),
('options', 'set_entity_options', 'the options are what it sets'),
('batch', 'finish_execution', 'results is any JSON that is kept with the run'),
('batch', 'delete_connection', 'records says what becomes of them'),
('answer', 'delete_connection', 'records says what becomes of them'),
('answer', 'finish_sync', 'error is the run''s, and no outcome''s'),
('answer', 'execution_retries', 'error is the run''s, and no outcome''s'),
('batch', 'complete_records', 'results stand beside record_ids, in an array'),
('answer', 'upsert_records_summary', 'answers with counts'),
('forms', 'upsert_record', 'the time may be of any type too'),
('forms', 'delete_records', 'a record is named by its id, or by its source''s'),
('forms', 'restore_records', 'a record is named by its id, or by its source''s'),
('forms', 'archive_records', 'a record is named by its id, or by its source''s'),
('abbreviation', 'max_rows', 'as SQL and its drivers say it'),
('abbreviation', 'max_delete_fraction', 'beside max_rows'),
('abbreviation', 'max_tokens', 'as models'' interfaces say it'),
('abbreviation', 'max_attempts', 'beside max_rows'),
('abbreviation', 'min_similarity', 'beside max_rows'),
('abbreviation', 'p50_ms', 'the field''s words for a percentile and a unit'),
('abbreviation', 'p95_ms', 'the field''s words for a percentile and a unit'),
('abbreviation', 'exact_p50_ms', 'the field''s words for a percentile and a unit'),
('abbreviation', 'exact_p95_ms', 'the field''s words for a percentile and a unit');

-- Words that a newcomer would have to learn.
CREATE TEMPORARY TABLE abbreviations (word text);
INSERT INTO abbreviations SELECT unnest('{acc,addr,arg,args,attr,auth,avg,calc,cfg,char,chk,cmd,cnt,col,cols,conf,config,
    conn,ctx,cur,db,def,del,desc,dest,dir,doc,docs,dst,dt,dur,elem,emb,ent,env,err,est,exec,expr,fld,fmt,fn,freq,func,gen,
    grp,hist,idx,impl,info,init,int,lang,len,lim,loc,lvl,max,mem,min,misc,mod,msg,ms,nbr,num,obj,op,ops,opt,opts,ord,org,
    param,params,pct,pos,prev,proc,prop,props,pt,qty,rec,recs,ref,refs,rel,req,res,ret,seq,sess,spec,src,stat,stmt,str,sub,
    svc,sync_ts,tbl,temp,tmp,tot,ts,txn,txt,typ,usr,util,val,vals,var,vec,ver,wf,ws,xact}'::text[]);
