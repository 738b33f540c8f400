-- Who gets what, and why: the only place where privileges are given. Every function and relation of schema frontdesk has a line:
--   public  everybody: it shows and changes what is the caller's own, or nothing
--   owner   the owner of the extension, who grants it by name to applications and administrators; such grants are kept
--   nobody  tables, trigger functions, and what verbs and the engine call: a grant on it is taken back at the next upgrade
-- What lies in schema frontdesk_internal is nobody's and needs no line. PUBLIC has no privilege on a table, and reads through views.

create or replace function frontdesk_internal.grants() returns table (object text, who text, why text)
immutable language sql set search_path = pg_catalog, pg_temp as $$
values
-- 00, base
('frontdesk.installation', 'nobody', 'written and read by verbs'),
('frontdesk.library_version()', 'public', 'a constant'),
('frontdesk.now()', 'public', 'the time'),
('frontdesk.adopt(boolean)', 'owner', 'makes a copy of the database send'),
('frontdesk.engine_slot()', 'owner', 'how the whole engine does'),
('frontdesk.is_clone()', 'owner', 'how the whole engine does'),
('frontdesk.lag()', 'owner', 'how the whole engine does'),
('frontdesk.pause(text)', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.resume()', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.start()', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.status()', 'owner', 'how the whole engine does'),
('frontdesk.stop()', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.wake(boolean)', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.config_changed()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.installation_replace()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.set_state(text,text)', 'nobody', 'called by verbs of the owner'),
-- 05, contact, schema
('frontdesk.check_schema(jsonb)', 'public', 'a pure function'),
('frontdesk.clean_line(text,text,integer)', 'public', 'a pure function'),
('frontdesk.normalize_columns(regclass,text[])', 'public', 'for tables of the caller'),
('frontdesk.normalize_email(text,boolean)', 'public', 'a pure function'),
('frontdesk.normalize_handle(text,boolean)', 'public', 'a pure function'),
('frontdesk.normalize_phone(text,text,boolean)', 'public', 'a pure function'),
('frontdesk.validate_json(jsonb,jsonb)', 'public', 'a pure function'),
('frontdesk.normalize_row()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
-- 10, event
('frontdesk.watch', 'public', 'which tables are watched, as the catalog shows to everybody'),
('frontdesk.event', 'nobody', 'written and read by verbs'),
('frontdesk.event_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.check_event_type(text)', 'public', 'a pure function'),
('frontdesk.check_filter(jsonb)', 'public', 'a pure function'),
('frontdesk.check_own_type(text,text)', 'public', 'a pure function'),
('frontdesk.unwatch(regclass)', 'public', 'for tables of the caller'),
('frontdesk.watch(regclass,text,text[],name,name[],jsonb,name[],name[],name)', 'public', 'for tables of the caller'),
('frontdesk.watch_check(regclass,name[],text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.watch_config(bytea)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.watch_install(regclass,jsonb)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.watch_key(regclass)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.watch_remove(regclass,name[])', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.watch_source(regclass)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.emit(text,jsonb,text,uuid)', 'owner', 'an event that receivers trust'),
('frontdesk.capture()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.record_event(text,"char",jsonb,text,uuid,bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.watch_follow()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.watch_guard()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
-- 20, endpoint
('frontdesk.endpoints', 'owner', 'where events go, of all tenants'),
('frontdesk.endpoint', 'nobody', 'written and read by verbs'),
('frontdesk.endpoint_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.endpoint_secret', 'nobody', 'written and read by verbs'),
('frontdesk.endpoint_secret_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.add_endpoint(text,text,text[],text,jsonb,jsonb,text,text,jsonb,integer,integer,numeric,boolean,uuid,boolean)', 'owner', 'every event goes where its URL points'),
('frontdesk.alter_endpoint(text,text,text[],text,jsonb,jsonb,text,text,jsonb,integer,integer,numeric,boolean,uuid,boolean)', 'owner', 'every event goes where its URL points'),
('frontdesk.check_headers(jsonb)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_pattern(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_payload(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_retry(jsonb)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_secret(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_signature(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_url(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.is_credential(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.new_secret()', 'owner', 'secrets are replaced'),
('frontdesk.pause_endpoint(text)', 'owner', 'deliveries of an endpoint end or begin'),
('frontdesk.reencrypt_secrets(text)', 'owner', 'secrets are replaced'),
('frontdesk.remove_endpoint(text)', 'owner', 'deliveries of an endpoint end or begin'),
('frontdesk.resume_endpoint(text)', 'owner', 'deliveries of an endpoint end or begin'),
('frontdesk.rotate_secret(text,text,interval)', 'owner', 'secrets are replaced'),
('frontdesk.test_endpoint(text,jsonb)', 'owner', 'an event that a receiver trusts'),
('frontdesk.endpoint_check()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.endpoint_id(text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.endpoint_settings()', 'nobody', 'called by the engine'),
('frontdesk.plain_headers(jsonb)', 'nobody', 'called by verbs of the owner'),
('frontdesk.reseal(bytea,text,text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.seal(text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.set_endpoint_state(text,text,text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.set_headers(bigint,jsonb)', 'nobody', 'called by verbs of the owner'),
-- 21, delivery
('frontdesk.attempts', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.dead_letters', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.delivery', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.webhook_configs', 'owner', 'as add_endpoint(), alter_endpoint() and remove_endpoint()'),
('frontdesk.webhook_logs', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.attempt', 'nobody', 'written and read by verbs'),
('frontdesk.attempt_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.cursor', 'nobody', 'written and read by verbs'),
('frontdesk.dead_letter', 'nobody', 'written and read by verbs'),
('frontdesk.retry', 'nobody', 'written and read by verbs'),
('frontdesk.filter_matches(jsonb,jsonb)', 'public', 'a pure function'),
('frontdesk.pattern_matches(text,text)', 'public', 'a pure function'),
('frontdesk.verify_webhook(text,jsonb,bytea,text,interval)', 'public', 'a pure function of what the caller has'),
('frontdesk.await_response(bigint,interval)', 'owner', 'of use to who may make requests; shows those of the caller'),
('frontdesk.discard(bigint,text)', 'owner', 'deliveries of all are dropped or repeated'),
('frontdesk.discard(text)', 'owner', 'deliveries of all are dropped or repeated'),
('frontdesk.event_document(frontdesk.event)', 'owner', 'shows events of all'),
('frontdesk.explain_event(bigint)', 'owner', 'shows events of all'),
('frontdesk.get_webhook_stats(text,integer)', 'owner', 'numbers of all endpoints'),
('frontdesk.http_delete(text,jsonb,text,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.http_fetch(text,text,jsonb,bytea,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.http_get(text,jsonb,text,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.http_patch(text,jsonb,jsonb,text,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.http_post(text,jsonb,jsonb,text,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.http_put(text,jsonb,jsonb,text,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.http_request(text,text,bytea,jsonb,text,integer)', 'owner', 'requests from the network of the server, signed if asked'),
('frontdesk.operation("char")', 'owner', 'shows events of all'),
('frontdesk.replay(bigint,text)', 'owner', 'deliveries of all are dropped or repeated'),
('frontdesk.replay(text,timestamp with time zone,timestamp with time zone,boolean)', 'owner', 'deliveries of all are dropped or repeated'),
('frontdesk.response(bigint)', 'owner', 'of use to who may make requests; shows those of the caller'),
('frontdesk.send_webhook_with_retry(text,text,jsonb,integer)', 'owner', 'an event that a receiver trusts'),
('frontdesk.test_webhook(text,jsonb)', 'owner', 'an event that a receiver trusts'),
('frontdesk.utf8(bytea)', 'owner', 'of use to who reads responses'),
('frontdesk.find_event(bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.routing(frontdesk.event,frontdesk.endpoint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.webhook_configs_write()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
-- 25, engine
('frontdesk.engine_attempts(bigint[],bigint[],integer[],timestamp with time zone[],real[],boolean[],smallint[],text[],text[],text[],text[],text[],bytea[])', 'nobody', 'called by the engine'),
('frontdesk.engine_blocked()', 'nobody', 'called by the engine'),
('frontdesk.engine_boot()', 'nobody', 'called by the engine'),
('frontdesk.engine_cursors()', 'nobody', 'called by the engine'),
('frontdesk.engine_dead(bigint[],bigint[],xid8[],timestamp with time zone[],integer[],text[])', 'nobody', 'called by the engine'),
('frontdesk.engine_disable(bigint,text)', 'nobody', 'called by the engine'),
('frontdesk.engine_done(bigint[],bigint[])', 'nobody', 'called by the engine'),
('frontdesk.engine_due(bigint[],timestamp with time zone,integer)', 'nobody', 'called by the engine'),
('frontdesk.engine_events(bigint[],xid8[],timestamp with time zone[])', 'nobody', 'called by the engine'),
('frontdesk.engine_forget()', 'nobody', 'called by the engine'),
('frontdesk.engine_health(bigint[],integer[],timestamp with time zone[],timestamp with time zone[])', 'nobody', 'called by the engine'),
('frontdesk.engine_list(text,text,bigint,timestamp with time zone,timestamp with time zone,integer)', 'nobody', 'called by the engine'),
('frontdesk.engine_next_due(bigint[],timestamp with time zone)', 'nobody', 'called by the engine'),
('frontdesk.engine_prepared()', 'nobody', 'called by the engine'),
('frontdesk.engine_read(text,text,xid8,bigint,timestamp with time zone,timestamp with time zone,integer)', 'nobody', 'called by the engine'),
('frontdesk.engine_release(bigint,text)', 'nobody', 'called by the engine'),
('frontdesk.engine_report(bigint,text,text)', 'nobody', 'called by the engine'),
('frontdesk.engine_retry(bigint[],bigint[],xid8[],timestamp with time zone[],integer[],timestamp with time zone[],text[],text[])', 'nobody', 'called by the engine'),
('frontdesk.engine_save_cursors(bigint[],text[],text[],xid8[],bigint[],timestamp with time zone[],bigint[])', 'nobody', 'called by the engine'),
('frontdesk.engine_settled(bigint[])', 'nobody', 'called by the engine'),
('frontdesk.engine_window()', 'nobody', 'called by the engine'),
-- 30, schedule
('frontdesk.jobs', 'public', 'jobs of who reads'),
('frontdesk.job', 'nobody', 'written and read by verbs'),
('frontdesk.job_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.job_run', 'nobody', 'written and read by verbs'),
('frontdesk.job_run_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.job_state', 'nobody', 'written and read by verbs'),
('frontdesk.alter_job(bigint,text,text,text,name,interval,text,integer,interval,text,boolean,text)', 'public', 'jobs of the caller'),
('frontdesk.cancel_run(bigint)', 'public', 'jobs of the caller'),
('frontdesk.check_command(text)', 'public', 'a pure function'),
('frontdesk.check_schedule(text)', 'public', 'a pure function'),
('frontdesk.check_timezone(text)', 'public', 'a pure function'),
('frontdesk.database_timezone()', 'public', 'a setting of the database'),
('frontdesk.engine_state()', 'public', 'whether the engine runs, for explain_job()'),
('frontdesk.explain_job(text)', 'public', 'jobs of the caller'),
('frontdesk.get_job_history(text,integer)', 'public', 'jobs of the caller'),
('frontdesk.job_id(text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.job_owner(name)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.jobs_changed()', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.list_scheduled_jobs()', 'public', 'jobs of the caller'),
('frontdesk.next_runs(text,text,integer,timestamp with time zone)', 'public', 'a pure function'),
('frontdesk.run_job(text)', 'public', 'jobs of the caller'),
('frontdesk.schedule(text,text,text,text,name,interval,text,integer,interval,text,boolean)', 'public', 'jobs that run as the caller'),
('frontdesk.schedule_once(timestamp with time zone,text,text,name,interval,integer,interval,text)', 'public', 'jobs that run as the caller'),
('frontdesk.unschedule(bigint)', 'public', 'jobs of the caller'),
('frontdesk.unschedule(text)', 'public', 'jobs of the caller'),
('frontdesk.engine_job_finish(bigint[],text[],timestamp with time zone[],integer[],bigint[],text[],text[],text[],integer[],timestamp with time zone[],text[])', 'nobody', 'called by the engine'),
('frontdesk.engine_job_problem(bigint,text)', 'nobody', 'called by the engine'),
('frontdesk.engine_job_recover()', 'nobody', 'called by the engine'),
('frontdesk.engine_job_requests()', 'nobody', 'called by the engine'),
('frontdesk.engine_job_skip(bigint[],timestamp with time zone[],text[])', 'nobody', 'called by the engine'),
('frontdesk.engine_job_start(bigint[],bigint[],integer[],timestamp with time zone[])', 'nobody', 'called by the engine'),
('frontdesk.engine_jobs()', 'nobody', 'called by the engine'),
('frontdesk.engine_jobs_version()', 'nobody', 'called by the engine'),
('frontdesk.job_changed()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.job_check()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.report_run(frontdesk.job_run,text,integer,timestamp with time zone)', 'nobody', 'called by verbs of the owner'),
('frontdesk.unix_us(timestamp with time zone)', 'nobody', 'called by verbs of the owner'),
-- 31, timer
('frontdesk.reminders', 'public', 'rules of who reads'),
('frontdesk.timers', 'public', 'timers of rows that who reads may see'),
('frontdesk.timer', 'nobody', 'written and read by verbs'),
('frontdesk.timer_rule', 'nobody', 'written and read by verbs'),
('frontdesk.timer_rule_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.remind(regclass,name,interval,text,jsonb,text,text,interval,name,regprocedure)', 'public', 'for tables of the caller'),
('frontdesk.timer_check_payload(regclass,regprocedure)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_fill(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_home()', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_install(frontdesk.timer_rule)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_key(frontdesk.timer_rule,text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_moment(frontdesk.timer_rule,text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_set(timestamp with time zone)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.timer_uninstall(frontdesk.timer_rule)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.unremind(text)', 'public', 'for rules of the caller'),
('frontdesk.engine_fire_timers(integer)', 'nobody', 'called by the engine'),
('frontdesk.fire_timers(frontdesk.timer_rule,text[],timestamp with time zone[],tid[],timestamp with time zone)', 'nobody', 'called by verbs of the owner'),
('frontdesk.query_as(oid,text,text[],timestamp with time zone[])', 'nobody', 'called by verbs of the owner'),
('frontdesk.timer_follow()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.timer_forget(bigint,text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.timer_keep(bigint,text,timestamp with time zone,text,text,boolean)', 'nobody', 'called by verbs of the owner'),
('frontdesk.timer_lost()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.timer_match(frontdesk.timer_rule,text,text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.timer_refill()', 'nobody', 'called by verbs of the owner'),
('frontdesk.timer_rows(frontdesk.timer_rule,text[],timestamp with time zone[])', 'nobody', 'called by verbs of the owner'),
('frontdesk.timer_trigger()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
-- 32, locale
('frontdesk.check_locale(text)', 'public', 'a pure function'),
('frontdesk.format_time(timestamp with time zone,text,text,text)', 'public', 'a pure function'),
-- 50, scoring
('frontdesk.score_follower', 'nobody', 'written and read by verbs'),
('frontdesk.score_model', 'nobody', 'written and read by verbs'),
('frontdesk.score_rule', 'nobody', 'written and read by verbs'),
('frontdesk.score_state', 'nobody', 'written and read by verbs'),
('frontdesk.score_version_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.explain_score(jsonb,text,uuid)', 'public', 'as score()'),
('frontdesk.explain_score_of(text,text,uuid)', 'public', 'as score()'),
('frontdesk.fit_score_model(text,text[],boolean[])', 'public', 'a pure function of what the caller has'),
('frontdesk.follow_scores(text)', 'public', 'for jobs of the caller'),
('frontdesk.keep_scores(regclass,text,name,name,name,name)', 'public', 'for tables of the caller'),
('frontdesk.score(jsonb,text,uuid)', 'public', 'everybody''s models; those of a tenant need set_score_model()'),
('frontdesk.score_is_stale(record,text,text,text,text,text)', 'public', 'as score()'),
('frontdesk.score_of(text,text,uuid)', 'public', 'as score()'),
('frontdesk.score_parts(text,uuid)', 'public', 'as score()'),
('frontdesk.score_tier(numeric,text,uuid)', 'public', 'as score()'),
('frontdesk.score_tier_of(numeric,text,uuid)', 'public', 'as score()'),
('frontdesk.remove_score_model(text,uuid)', 'owner', 'scores of all change; it is the right to the models of tenants too'),
('frontdesk.set_score_model(text,jsonb,numeric,numeric,numeric,jsonb,jsonb,text,interval,text,uuid,text,jsonb)', 'owner', 'scores of all change; it is the right to the models of tenants too'),
('frontdesk.check_score_book(text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.keep_score()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.score_book(uuid)', 'nobody', 'called by verbs of the owner'),
('frontdesk.score_model_changed()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.score_model_check()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.score_rule_check()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.score_rule_touch()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.scores_changed()', 'nobody', 'called by verbs of the owner'),
('frontdesk.ship_score_model(text,text,jsonb,jsonb,jsonb)', 'nobody', 'called by verbs of the owner'),
-- 60, knowledge
('frontdesk.any_words(regclass,name,text,regconfig)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.check_search(text,@extschema:vector@.vector,integer[],integer,double precision)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.compile_filter(jsonb,text)', 'public', 'a pure function'),
('frontdesk.dimensions_test(regclass,name,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.explain_search(regclass,@extschema:vector@.vector,jsonb,integer,name,name)', 'public', 'as search_documents()'),
('frontdesk.filter_predicate(jsonb,text,boolean)', 'public', 'a pure function'),
('frontdesk.key_columns(regclass)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.nearest_query(regclass,name,integer,integer,boolean,text,text,text[],text,text,text,text,boolean)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.search_columns(regclass,name,name,name,regconfig)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.search_documents(regclass,@extschema:vector@.vector,text,jsonb,integer,double precision,name,name,name,regconfig)', 'public', 'with the rights of the caller, on tables that they may read'),
('frontdesk.find_nearest(regclass,name,@extschema:vector@.vector,jsonb,jsonb,integer,name[],integer,text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.find_words(regclass,name,name,text,regconfig,jsonb,jsonb,integer,name[])', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.row_predicate(regclass,jsonb)', 'public', 'makes conditions into SQL, and runs none'),
('frontdesk.search_filter(regclass,jsonb,name)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.search_way(regclass,regclass,jsonb,jsonb,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.split_text(text,integer,integer)', 'public', 'a pure function'),
('frontdesk.vector_column(regclass,name)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.vector_index(regclass,name,boolean,integer,integer)', 'public', 'called by other verbs with the rights of the caller'),
-- 65, embedder
('frontdesk.embed_tables', 'public', 'declarations of who reads'),
('frontdesk.embedders', 'owner', 'services, and what they cost'),
('frontdesk.embed_failure', 'nobody', 'written and read by verbs'),
('frontdesk.embed_query', 'nobody', 'written and read by verbs'),
('frontdesk.embed_source', 'nobody', 'written and read by verbs'),
('frontdesk.embed_source_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.embedder', 'nobody', 'written and read by verbs'),
('frontdesk.embedder_id_seq', 'nobody', 'numbers are taken by verbs'),
('frontdesk.embedder_secret', 'nobody', 'written and read by verbs'),
('frontdesk.embedder_state', 'nobody', 'written and read by verbs'),
('frontdesk.embedding_cache', 'nobody', 'written and read by verbs'),
('frontdesk.embed_column(regclass,name,text,text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_count(bigint,boolean)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_declaration(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_failures(regclass)', 'public', 'for tables of the caller'),
('frontdesk.embed_later(bigint,bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_lock(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_pending(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_pick(bigint,integer,integer,oid[],text[])', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_reuse(bigint,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_rows(bigint,boolean)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_own', 'public', 'declarations of who reads'),
('frontdesk.embed_refused', 'public', 'declarations of who reads'),
('frontdesk.embed_mine(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_clear(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_counted(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_declare(regclass,name,name,bigint,text)', 'public', 'with the right to call embed_table()'),
('frontdesk.embed_forget(bigint,bigint[])', 'public', 'for declarations of the caller'),
('frontdesk.embed_note(bigint,bigint,bigint)', 'public', 'for declarations of the caller'),
('frontdesk.embed_refuse(bigint,bigint[],text)', 'public', 'for declarations of the caller'),
('frontdesk.embed_remove(bigint)', 'public', 'for declarations of the caller'),
('frontdesk.embed_start(bigint,boolean)', 'public', 'for declarations of the caller'),
('frontdesk.embed_store(bigint,oid[],text[],bigint[],bytea[])', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_where(text,frontdesk.embed_source)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embedder_dimensions(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embedder_id(text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embedder_model(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embedder_name(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embedder_of(text,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.floats(bytea)', 'public', 'a pure function'),
('frontdesk.unembed_table(regclass,name,text)', 'public', 'for tables of the caller'),
('frontdesk.add_embedder(text,text,text,integer,text,integer,numeric,integer,jsonb,integer,integer,boolean,text)', 'owner', 'texts go where its URL points'),
('frontdesk.alter_embedder(text,text,text,integer,text,integer,numeric,integer,jsonb,integer,integer,boolean,text,boolean)', 'owner', 'texts go where its URL points'),
('frontdesk.embed(text,text)', 'owner', 'costs money'),
('frontdesk.embed_again(regclass,name,text)', 'owner', 'costs money'),
('frontdesk.embed_table(regclass,name,name,text,text)', 'owner', 'costs money'),
('frontdesk.remove_embedder(text)', 'owner', 'texts go where its URL points'),
('frontdesk.retry_embedding(regclass,name)', 'owner', 'costs money'),
('frontdesk.check_range(text,numeric,numeric,numeric)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_awake(bigint,bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_failed(bigint,bigint,text,bigint,boolean)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_floats(text,text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_reset()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.embed_run(bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_settings(bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_slot(bigint,bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_succeeded(bigint,bigint,bigint,bigint,bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embed_wake()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.embedder_check()', 'nobody', 'trigger function: the verb that makes the trigger does it as the owner'),
('frontdesk.embedder_headers(bigint,jsonb,text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embedding_keep(bigint,text,bytea,bytea,bigint)', 'nobody', 'called by verbs of the owner'),
('frontdesk.embedding_known(bigint,text,bytea)', 'nobody', 'called by verbs of the owner'),
-- 85, crm
('frontdesk.install_crm(boolean)', 'owner', 'makes or drops a schema of the caller'),
('frontdesk.uninstall_crm(text)', 'owner', 'makes or drops a schema of the caller'),
('frontdesk.crm_owner()', 'public', 'part of install_crm(), with the rights of the caller'),
('frontdesk.crm_scripts()', 'public', 'part of install_crm(); a constant'),
('frontdesk.crm_text(text)', 'public', 'part of install_crm(), with the rights of the caller'),
('frontdesk.crm_version()', 'public', 'what the caller may read'),
('frontdesk.crm_hand_over(regrole)', 'nobody', 'part of install_crm() for superusers'),
('frontdesk.crm_role()', 'nobody', 'part of install_crm() for superusers'),
('frontdesk.run_script(regrole,text)', 'nobody', 'part of install_crm() for superusers'),
-- 90, upkeep
('frontdesk.maintain()', 'owner', 'what the engine does by itself'),
('frontdesk.expired_partitions(text,interval)', 'nobody', 'called by verbs of the owner'),
('frontdesk.kept(text)', 'nobody', 'called by verbs of the owner'),
('frontdesk.maintain_rest()', 'nobody', 'called by verbs of the owner'),
('frontdesk.maintain_step()', 'nobody', 'called by verbs of the owner'),
('frontdesk.make_partition(text,date)', 'nobody', 'called by verbs of the owner')
$$;
comment on function frontdesk_internal.grants() is 'who gets what of the extension, and why: public, owner (who may grant it), nobody';

-- What an object of the list is in this database; null where there is none.
create or replace function frontdesk_internal.granted_object(object text, out class oid, out id oid)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if object like '%(%' then
    class := 'pg_proc'::regclass;
    id := to_regprocedure(object);
  else
    class := 'pg_class'::regclass;
    id := to_regclass(object);
  end if;
end
$$;
comment on function frontdesk_internal.granted_object(text) is 'internal: the object of a line of grants()';

-- Every function and relation of the extension, and the partitions of its logs, with its line. What has none is nobody's.
create or replace view frontdesk_internal.granted as
with line as materialized (
  select t.class, t.id, g.who from frontdesk_internal.grants() g cross join lateral frontdesk_internal.granted_object(g.object) t),
object as (
  select 'pg_proc'::regclass::oid as class, p.oid as id, p.oid::regprocedure::text as name,
    case p.prokind when 'p' then 'procedure' else 'function' end as kind, p.proowner as owner, p.pronamespace as schema, p.proacl as acl,
    acldefault('f', p.proowner) as initial, 'execute' as privilege
  from pg_proc p
  union all
  select 'pg_class'::regclass, c.oid, c.oid::regclass::text, case c.relkind when 'S' then 'sequence' else 'table' end, c.relowner,
    c.relnamespace, coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))
      || coalesce((select array_agg(x) from pg_attribute a, unnest(a.attacl) x where a.attrelid = c.oid), '{}'), null, 'select'
  from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'S', 'f'))
select o.class, o.id, o.name, o.kind, o.owner, coalesce(o.acl, o.initial) as acl, o.privilege,
  coalesce(l.who, 'nobody') as who, l.who is not null as listed
from object o
left join line l on l.class = o.class and l.id = o.id
where o.schema in ('frontdesk'::regnamespace, 'frontdesk_internal'::regnamespace)
  and exists (select from pg_depend d where d.classid = o.class and d.objid = o.id and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
    and d.refobjid = (select x.oid from pg_extension x where x.extname = 'pg_frontdesk'));
comment on view frontdesk_internal.granted is 'every function and relation of the extension, who may use it by the list, and its privileges as they are';

create or replace function frontdesk_internal.apply_grants() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- What other roles hold at the installation comes from default privileges, which nobody meant for these objects. Later,
  -- what an administrator granted on a verb or a view of the class "owner" or "public" is kept.
  installing boolean := (select i.installed_at = now() from frontdesk.installation i);
  o record;
  grantee regrole;
begin
  for o in select * from frontdesk_internal.granted loop
    if o.who <> 'public' and exists (select from aclexplode(o.acl) a where a.grantee = 0) then
      execute format('revoke all on %s %s from public cascade', o.kind, o.name);
    elsif o.who = 'public' and exists (select from aclexplode(o.acl) a where a.grantee = 0 and lower(a.privilege_type) <> o.privilege) then
      execute format('revoke all on %s %s from public cascade', o.kind, o.name);
      execute format('grant %s on %s %s to public', o.privilege, o.kind, o.name);
    elsif o.who = 'public' and not exists (select from aclexplode(o.acl) a where a.grantee = 0) then
      execute format('grant %s on %s %s to public', o.privilege, o.kind, o.name);
    end if;
    for grantee in
      select distinct a.grantee from aclexplode(o.acl) a
      where a.grantee not in (0, o.owner) and (installing or o.who = 'nobody' or exists (
        select from pg_init_privs i, aclexplode(i.initprivs) b
        where i.objoid = o.id and i.classoid = o.class and i.objsubid = 0 and b.grantee = a.grantee))
    loop
      execute format('revoke all on %s %s from %s cascade', o.kind, o.name, grantee);
    end loop;
  end loop;
  for o in
    select n.nspname, a.grantee from pg_namespace n, aclexplode(n.nspacl) a
    where n.nspname in ('frontdesk', 'frontdesk_internal') and a.grantee <> n.nspowner
      and (installing or a.grantee = 0 or n.nspname = 'frontdesk_internal')
  loop
    execute format('revoke all on schema %I from %s cascade', o.nspname,
      case o.grantee when 0 then 'public' else o.grantee::regrole::text end);
  end loop;
  grant usage on schema frontdesk to public;
end
$$;
comment on function frontdesk_internal.apply_grants() is
  'internal: at installation and upgrade, privileges become those of grants(): what default privileges of others brought is taken back';
select frontdesk_internal.apply_grants();

-- Only until these rooms write their tables, and make their triggers, by the door.
grant select, insert, update, delete on frontdesk.job, frontdesk.timer_rule, frontdesk.timer to public;
grant select on frontdesk.job_state, frontdesk.job_run to public;
grant insert (job_id, job_name, owner, command, status, scheduled_at, started_at), update (status, finished_at, message)
  on frontdesk.job_run to public;
grant execute on function frontdesk.timer_trigger() to public;

-- The engine begins its work when CREATE EXTENSION or ALTER EXTENSION UPDATE commits.
do $$
begin
  perform frontdesk.wake(reboot => true);
end
$$;
