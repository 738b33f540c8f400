-- Least privilege: PUBLIC may use what tells nothing and changes nothing.

revoke all on all functions in schema frontdesk, frontdesk_internal from public;
revoke all on all tables in schema frontdesk, frontdesk_internal from public;
revoke all on all sequences in schema frontdesk from public;

grant usage on schema frontdesk to public;
grant execute on function
  frontdesk.now(),
  frontdesk.library_version(),
  frontdesk.pattern_matches(text, text),
  frontdesk.filter_matches(jsonb, jsonb),
  frontdesk.check_event_type(text),
  frontdesk.check_own_type(text, text),
  frontdesk.check_schema(jsonb),
  frontdesk.validate_json(jsonb, jsonb),
  frontdesk.check_filter(jsonb),
  frontdesk.split_text(text, int, int),
  frontdesk.filter_predicate(jsonb, text, boolean),
  frontdesk.compile_filter(jsonb, text),
  frontdesk.vector_column(regclass, name),
  frontdesk.check_search(text, @extschema:vector@.vector, int[], int, float8),
  frontdesk.vector_index(regclass, name, boolean, int, int),
  frontdesk.search_way(regclass, regclass, text, text, boolean, int),
  frontdesk.dimensions_test(regclass, name, int),
  frontdesk.nearest_query(regclass, name, int, int, boolean, text, text, text[], text, text, text, text, boolean),
  frontdesk.key_columns(regclass),
  frontdesk.find_nearest(regclass, name, @extschema:vector@.vector, text, text, boolean, int, text[], int, text),
  frontdesk.any_words(regclass, name, text, regconfig),
  frontdesk.find_words(regclass, text, name, text, regconfig, text, text, int, text[]),
  frontdesk.search_columns(regclass, name, name, name, regconfig),
  frontdesk.search_filter(regclass, jsonb, text),
  frontdesk.search_documents(regclass, @extschema:vector@.vector, text, jsonb, int, float8, name, name, name, regconfig),
  frontdesk.explain_search(regclass, @extschema:vector@.vector, jsonb, int, name, name),
  frontdesk.verify_webhook(text, jsonb, bytea, text, interval),
  frontdesk.format_time(timestamptz, text, text, text),
  frontdesk.check_locale(text),
  frontdesk.watch_config(bytea),
  frontdesk.watch_key(regclass),
  frontdesk.watch_check(regclass, name[], text),
  frontdesk.watch_source(regclass),
  frontdesk.watch_install(regclass, jsonb),
  frontdesk.watch_remove(regclass, name[]),
  frontdesk.watch(regclass, text, text[], name, name[], jsonb, name[], name[], name),
  frontdesk.unwatch(regclass)
to public;
grant select on frontdesk.watch to public;

-- Who has the facts may have them scored; the models are read and written by whom the owner lets.
grant execute on function
  frontdesk.score_of(text, text, uuid),
  frontdesk.score(jsonb, text, uuid),
  frontdesk.score_tier_of(numeric, text, uuid),
  frontdesk.score_tier(numeric, text, uuid),
  frontdesk.score_parts(text, uuid),
  frontdesk.explain_score_of(text, text, uuid),
  frontdesk.explain_score(jsonb, text, uuid),
  frontdesk.score_is_stale(record, text, text, text, text, text),
  frontdesk.keep_scores(regclass, text, name, name, name, name),
  frontdesk.fit_score_model(text, text[], boolean[]),
  frontdesk.follow_scores(text)
to public;

-- Jobs and reminders are everybody's own: row level security (sql/tables/30_schedule.sql, 31_timer.sql) says which.
grant execute on function
  frontdesk.check_schedule(text),
  frontdesk.check_timezone(text),
  frontdesk.check_command(text),
  frontdesk.database_timezone(),
  frontdesk.next_runs(text, text, int, timestamptz),
  frontdesk.jobs_changed(),
  frontdesk.job_owner(name),
  frontdesk.job_id(text),
  frontdesk.schedule(text, text, text, text, name, interval, text, int, interval, text, boolean),
  frontdesk.schedule_once(timestamptz, text, text, name, interval, int, interval, text),
  frontdesk.unschedule(text),
  frontdesk.unschedule(bigint),
  frontdesk.alter_job(bigint, text, text, text, name, interval, text, int, interval, text, boolean, text),
  frontdesk.run_job(text),
  frontdesk.cancel_run(bigint),
  frontdesk.engine_state(),
  frontdesk.explain_job(text),
  frontdesk.list_scheduled_jobs(),
  frontdesk.get_job_history(text, int),
  frontdesk.timer_set(timestamptz),
  frontdesk.timer_moment(frontdesk.timer_rule, text),
  frontdesk.timer_key(frontdesk.timer_rule, text),
  frontdesk.timer_fill(bigint),
  frontdesk.timer_home(),
  frontdesk.timer_install(frontdesk.timer_rule),
  frontdesk.timer_uninstall(frontdesk.timer_rule),
  frontdesk.timer_trigger(),
  frontdesk.timer_check_payload(regclass, regprocedure),
  frontdesk.remind(regclass, name, interval, text, jsonb, text, text, interval, name, regprocedure),
  frontdesk.unremind(text)
to public;
grant select, insert, update, delete on frontdesk.job, frontdesk.timer_rule, frontdesk.timer to public;
grant select on frontdesk.job_state, frontdesk.job_run, frontdesk.jobs, frontdesk.timers, frontdesk.reminders to public;
grant insert (job_id, job_name, owner, command, status, scheduled_at, started_at), update (status, finished_at, message)
  on frontdesk.job_run to public;

-- Embedding: the tables of the room hold everybody to what is his (sql/tables/65_embedder.sql).
grant execute on function
  frontdesk.floats(bytea),
  frontdesk.embed_column(regclass, name, text, text),
  frontdesk.embed_reset(),
  frontdesk.embed_wake(),
  frontdesk.embed_where(text, frontdesk.embed_source),
  frontdesk.embed_rows(frontdesk.embed_source, boolean),
  frontdesk.embed_count(bigint, boolean),
  frontdesk.embedder_id(text),
  frontdesk.embedder_name(bigint),
  frontdesk.embedder_dimensions(bigint),
  frontdesk.embedder_model(bigint),
  frontdesk.embedder_of(text, int),
  frontdesk.unembed_table(regclass, name, text),
  frontdesk.embed_failures(regclass),
  frontdesk.embed_declaration(bigint),
  frontdesk.embed_lock(bigint),
  frontdesk.embed_reuse(bigint, int),
  frontdesk.embed_pick(bigint, int, int, oid[], text[]),
  frontdesk.embed_store(bigint, oid[], text[], bigint[], bytea[]),
  frontdesk.embed_refuse(bigint, bigint[], text),
  frontdesk.embed_later(bigint, bigint)
to public;
grant execute on procedure frontdesk.embed_pending(bigint) to public;
grant select, insert, update, delete on frontdesk.embed_source, frontdesk.embed_failure to public;
grant select on frontdesk.embed_tables to public;

-- The engine begins its work when CREATE EXTENSION or ALTER EXTENSION UPDATE commits.
do $$
begin
  perform frontdesk.wake(reboot => true);
end
$$;

-- They tell nothing and change nothing.
grant execute on function
  frontdesk.normalize_email(text, boolean),
  frontdesk.normalize_phone(text, text, boolean),
  frontdesk.normalize_handle(text, boolean),
  frontdesk.clean_line(text, text, int),
  frontdesk.normalize_columns(regclass, text[])
to public;
