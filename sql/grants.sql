-- Who gets what, and why: the only place where privileges are given. Every function and relation of schema frontdesk has a line:
--   public  everybody: it shows and changes what is the caller's own, or nothing
--   owner   the owner of the extension, who grants it by name to applications and administrators; such grants are kept
-- What lies in schema frontdesk_internal is nobody's: tables, trigger functions, and what verbs and the engine call. A grant on
-- it is taken back at the next upgrade. The exceptions have a line: what a verb or a view calls with the rights of whoever uses
-- it. By itself it shows and changes nothing but what is the caller's own, like a verb, but it may change in any version.
-- PUBLIC has no privilege on a table, and reads through views.

create or replace function frontdesk_internal.grants() returns table (object text, who text, why text)
immutable language sql set search_path = pg_catalog, pg_temp as $$
values
-- 00, base
('frontdesk_internal.installation_id()', 'public', 'called by views of everybody'),
('frontdesk.help(text)', 'public', 'comments of the catalog'),
('frontdesk.library_version()', 'public', 'a constant'),
('frontdesk.now()', 'public', 'the time'),
('frontdesk.adopt(boolean)', 'owner', 'makes a copy of the database send'),
('frontdesk.is_clone()', 'owner', 'how the whole engine does'),
('frontdesk.lag()', 'owner', 'how the whole engine does'),
('frontdesk.pause(text)', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.resume()', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.start()', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.status()', 'owner', 'how the whole engine does'),
('frontdesk.stop()', 'owner', 'the whole engine begins or ends its work'),
('frontdesk.wake(boolean)', 'owner', 'the whole engine begins or ends its work'),
-- 05, contact, schema
('frontdesk.check_schema(jsonb)', 'public', 'a pure function'),
('frontdesk.clean_line(text,text,integer)', 'public', 'a pure function'),
('frontdesk.normalize_columns(regclass,text[])', 'public', 'for tables of the caller'),
('frontdesk.normalize_email(text,boolean)', 'public', 'a pure function'),
('frontdesk.normalize_handle(text,boolean)', 'public', 'a pure function'),
('frontdesk.normalize_phone(text,text,boolean)', 'public', 'a pure function'),
('frontdesk.phone_key(text)', 'public', 'a pure function'),
('frontdesk.phone_spellings(text)', 'public', 'a pure function'),
('frontdesk.validate_json(jsonb,jsonb)', 'public', 'a pure function'),
-- 10, event
('frontdesk.watch', 'public', 'which tables are watched, as the catalog shows to everybody'),
('frontdesk.event', 'owner', 'the rows of all tenants, for who operates the desk to read'),
('frontdesk.check_event_type(text)', 'public', 'a pure function'),
('frontdesk.check_filter(jsonb)', 'public', 'a pure function'),
('frontdesk.check_own_type(text,text)', 'public', 'a pure function'),
('frontdesk.unwatch(regclass)', 'public', 'for tables of the caller'),
('frontdesk.watch(regclass,text,text[],name,name[],jsonb,name[],name[],name)', 'owner', 'makes events, which receivers trust; for tables of the caller'),
('frontdesk_internal.watch_config(bytea)', 'public', 'called by the view watch, and an event trigger'),
('frontdesk_internal.watch_key(regclass)', 'public', 'called by the view watch'),
('frontdesk_internal.watch_source(regclass)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.emit(text,jsonb,text,uuid)', 'owner', 'an event that receivers trust'),
-- 20, endpoint
('frontdesk.endpoints', 'owner', 'where events go, of all tenants'),
('frontdesk.add_endpoint(text,text,text[],text,jsonb,jsonb,text,text,jsonb,integer,integer,numeric,boolean,uuid,boolean,jsonb,text)', 'owner', 'every event goes where its URL points'),
('frontdesk.alter_endpoint(text,text,text[],text,jsonb,jsonb,text,text,jsonb,integer,integer,numeric,boolean,uuid,boolean,boolean,jsonb,text)', 'owner', 'every event goes where its URL points'),
('frontdesk.check_headers(jsonb)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_pattern(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_payload(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_retry(jsonb)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_secret(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_signature(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_tls(jsonb)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.check_url(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.is_credential(text)', 'owner', 'of use to who makes endpoints and requests'),
('frontdesk.new_secret()', 'owner', 'secrets are replaced'),
('frontdesk.new_signing_key()', 'owner', 'secrets are replaced'),
('frontdesk.public_key(text)', 'owner', 'reads a secret'),
('frontdesk.pause_endpoint(text)', 'owner', 'deliveries of an endpoint end or begin'),
('frontdesk.reencrypt_secrets(text)', 'owner', 'secrets are replaced'),
('frontdesk.remove_endpoint(text)', 'owner', 'deliveries of an endpoint end or begin'),
('frontdesk.resume_endpoint(text)', 'owner', 'deliveries of an endpoint end or begin'),
('frontdesk.rotate_secret(text,text,interval)', 'owner', 'secrets are replaced'),
('frontdesk.test_endpoint(text,jsonb)', 'owner', 'an event that a receiver trusts'),
-- 21, delivery
('frontdesk.attempts', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.dead_letters', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.delivery', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.webhook_configs', 'owner', 'as add_endpoint(), alter_endpoint() and remove_endpoint()'),
('frontdesk.webhook_logs', 'owner', 'what was sent and answered, of all tenants'),
('frontdesk.filter_matches(jsonb,jsonb)', 'public', 'a pure function'),
('frontdesk_internal.json_bytes(jsonb)', 'public', 'called by the view dead_letters; a pure function'),
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
-- 25, handler
('frontdesk.handlers', 'owner', 'what runs for events of all tenants'),
('frontdesk.add_handler(text,regprocedure,text[],jsonb,integer,boolean,jsonb,interval,uuid,boolean)', 'owner', 'its function sees every event that it asks for'),
('frontdesk.alter_handler(text,regprocedure,text[],jsonb,integer,boolean,jsonb,interval,uuid,boolean)', 'owner', 'its function sees every event that it asks for'),
('frontdesk.remove_handler(text)', 'owner', 'deliveries of a handler end'),
-- 25, engine
-- 22, source
('frontdesk.add_source(text,text,text,text,text,text,interval,uuid,text,interval,boolean)', 'owner', 'who is believed'),
('frontdesk.alter_source(text,text,text,text,text,text,interval,uuid,text,interval,boolean)', 'owner', 'who is believed'),
('frontdesk.remove_source(text)', 'owner', 'who is believed'),
('frontdesk.rotate_source_secret(text,text,interval)', 'owner', 'who is believed'),
('frontdesk.receive_webhook(text,jsonb,bytea,text,text)', 'owner', 'for who holds the socket; a signature of the sender makes the event'),
('frontdesk.sources', 'owner', 'who is believed, of all tenants'),
('frontdesk.receipts', 'owner', 'what came in, of all tenants'),
('frontdesk.requests', 'public', 'requests of who reads'),
-- 30, schedule
('frontdesk.jobs', 'public', 'jobs of who reads'),
('frontdesk.job_runs', 'public', 'runs of jobs of who reads'),
('frontdesk.alter_job(bigint,text,text,text,name,interval,text,integer,interval,text,boolean,text)', 'public', 'jobs of the caller'),
('frontdesk.alter_job(text,text,text,text,name,interval,text,integer,interval,text,boolean,text)', 'public', 'jobs of the caller'),
('frontdesk.run_job(bigint)', 'public', 'jobs of the caller'),
('frontdesk.explain_job(bigint)', 'public', 'jobs of the caller'),
('frontdesk.cancel_run(bigint)', 'public', 'jobs of the caller'),
('frontdesk.check_command(text)', 'public', 'a pure function'),
('frontdesk.check_schedule(text)', 'public', 'a pure function'),
('frontdesk.check_timezone(text)', 'public', 'a pure function'),
('frontdesk.explain_job(text)', 'public', 'jobs of the caller'),
('frontdesk.get_job_history(text,integer)', 'public', 'jobs of the caller'),
('frontdesk.list_scheduled_jobs()', 'public', 'jobs of the caller'),
('frontdesk.next_runs(text,text,integer,timestamp with time zone)', 'public', 'a pure function'),
('frontdesk.run_job(text)', 'public', 'jobs of the caller'),
('frontdesk.schedule(text,text,text,text,name,interval,text,integer,interval,text,boolean)', 'public', 'jobs that run as the caller'),
('frontdesk.schedule_once(timestamp with time zone,text,text,name,interval,integer,interval,text)', 'public', 'jobs that run as the caller'),
('frontdesk.unschedule(bigint)', 'public', 'jobs of the caller'),
('frontdesk.unschedule(text)', 'public', 'jobs of the caller'),
-- 31, timer
('frontdesk.reminders', 'public', 'rules of who reads'),
('frontdesk.timers', 'public', 'timers of tables of who reads'),
('frontdesk.remind(regclass,name,interval,text,jsonb,text,text,interval,name,regprocedure)', 'public', 'for tables of the caller'),
('frontdesk.unremind(text)', 'public', 'for rules of the caller'),
-- 32, locale
('frontdesk.check_locale(text)', 'public', 'a pure function'),
('frontdesk.vtimezone(text,timestamp with time zone,timestamp with time zone)', 'public', 'a pure function'),
('frontdesk.format_time(timestamp with time zone,text,text,text)', 'public', 'a pure function'),
-- 50, scoring
('frontdesk.score_model', 'owner', 'as set_score_model(): what is written is checked by triggers'),
('frontdesk.score_rule', 'owner', 'as set_score_model(): what is written is checked by triggers'),
('frontdesk.explain_score(jsonb,text,uuid)', 'public', 'as score()'),
('frontdesk_internal.explain_score_of(text,text,uuid)', 'public', 'called by explain_score()'),
('frontdesk.fit_score_model(text,text[],boolean[])', 'public', 'a pure function of what the caller has'),
('frontdesk.follow_scores(text)', 'public', 'for jobs of the caller'),
('frontdesk.keep_scores(regclass,text,name,name,name,name)', 'public', 'for tables of the caller'),
('frontdesk.score(jsonb,text,uuid)', 'public', 'everybody''s models; those of a tenant need set_score_model()'),
('frontdesk.score_is_stale(record,text,text,text,text,text)', 'public', 'as score()'),
('frontdesk_internal.score_of(text,text,uuid)', 'public', 'called by score()'),
('frontdesk.score_parts(text,uuid)', 'public', 'as score()'),
('frontdesk.score_tier(numeric,text,uuid)', 'public', 'as score()'),
('frontdesk_internal.score_tier_of(numeric,text,uuid)', 'public', 'called by score_tier()'),
('frontdesk.remove_score_model(text,uuid)', 'owner', 'scores of all change; it is the right to the models of tenants too'),
('frontdesk.set_score_model(text,jsonb,numeric,numeric,numeric,jsonb,jsonb,text,interval,text,uuid,text,jsonb)', 'owner', 'scores of all change; it is the right to the models of tenants too'),
-- 60, knowledge
('frontdesk_internal.any_words(regclass,name,text,regconfig)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.check_search(text,@extschema:vector@.vector,integer[],integer,double precision)', 'public', 'as search_documents()'),
('frontdesk.compile_filter(jsonb,text)', 'public', 'a pure function'),
('frontdesk_internal.dimensions_test(regclass,name,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.explain_search(regclass,@extschema:vector@.vector,jsonb,integer,name,name)', 'public', 'as search_documents()'),
('frontdesk_internal.filter_predicate(jsonb,text,boolean)', 'public', 'called by compile_filter(); a pure function'),
('frontdesk_internal.key_columns(regclass)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.nearest_query(regclass,name,integer,integer,boolean,text,text,text[],text,text,text,text,boolean)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.search_columns(regclass,name,name,name,regconfig)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.search_documents(regclass,@extschema:vector@.vector,text,jsonb,integer,double precision,name,name,name,regconfig)', 'public', 'with the rights of the caller, on tables that they may read'),
('frontdesk.find_nearest(regclass,name,@extschema:vector@.vector,jsonb,jsonb,integer,name[],integer,text)', 'public', 'as search_documents()'),
('frontdesk.find_words(regclass,name,name,text,regconfig,jsonb,jsonb,integer,name[])', 'public', 'as search_documents()'),
('frontdesk_internal.row_predicate(regclass,jsonb)', 'public', 'makes conditions into SQL, and runs none'),
('frontdesk_internal.search_filter(regclass,jsonb,name)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.search_way(regclass,regclass,jsonb,jsonb,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.split_text(text,integer,integer)', 'public', 'a pure function'),
('frontdesk_internal.vector_column(regclass,name)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.vector_index(regclass,name,boolean,integer,integer)', 'public', 'as search_documents()'),
-- 65, embedder
('frontdesk.embed_tables', 'public', 'declarations of who reads'),
('frontdesk.embedders', 'owner', 'services, and what they cost'),
('frontdesk_internal.embed_column(regclass,name,text,text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_count(bigint,boolean)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_declaration(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_failures(regclass)', 'public', 'for tables of the caller'),
('frontdesk_internal.embed_later(bigint,bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.embed_pending(bigint)', 'public', 'the command of jobs that run as the owner of a table'),
('frontdesk_internal.embed_pick(bigint,integer,integer,oid[],text[])', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_reuse(bigint,integer)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_rows(bigint,boolean)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_own', 'public', 'declarations of who reads'),
('frontdesk_internal.embed_refused', 'public', 'declarations of who reads'),
('frontdesk_internal.embed_mine(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_clear(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_counted(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_declare(regclass,name,name,bigint,text)', 'public', 'with the right to call embed_table()'),
('frontdesk_internal.embed_forget(bigint,bigint[])', 'public', 'for declarations of the caller'),
('frontdesk_internal.embed_note(bigint,bigint,bigint)', 'public', 'for declarations of the caller'),
('frontdesk_internal.embed_refuse(bigint,bigint[],text)', 'public', 'for declarations of the caller'),
('frontdesk_internal.embed_remove(bigint)', 'public', 'for declarations of the caller'),
('frontdesk_internal.embed_start(bigint,boolean)', 'public', 'for declarations of the caller'),
('frontdesk_internal.embed_store(bigint,oid[],text[],bigint[],bytea[])', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embed_where(text,frontdesk_internal.embed_source)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embedder_dimensions(bigint)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk_internal.embedder_id(text)', 'public', 'called by other verbs with the rights of the caller'),
('frontdesk.find_embedder(text)', 'public', 'for who may call embed() or embed_table(); others learn nothing'),
('frontdesk_internal.embedder_name(bigint)', 'public', 'called by the view embed_tables'),
('frontdesk.embedder_of(text,integer)', 'public', 'for who may call embed() or embed_table(); others learn nothing'),
('frontdesk_internal.floats(bytea)', 'public', 'called by embed_store(); a pure function'),
('frontdesk.unembed_table(regclass,name,text)', 'public', 'for tables of the caller'),
('frontdesk.add_embedder(text,text,text,integer,text,integer,numeric,integer,jsonb,integer,integer,boolean,text)', 'owner', 'texts go where its URL points'),
('frontdesk.alter_embedder(text,text,text,integer,text,integer,numeric,integer,jsonb,integer,integer,boolean,text,boolean,boolean)', 'owner', 'texts go where its URL points'),
('frontdesk.embed(text,text)', 'owner', 'costs money'),
('frontdesk.embed_again(regclass,name,text)', 'owner', 'costs money'),
('frontdesk.embed_table(regclass,name,name,text,text)', 'owner', 'costs money'),
('frontdesk.remove_embedder(text)', 'owner', 'texts go where its URL points'),
('frontdesk.retry_embedding(regclass,name)', 'owner', 'costs money'),
-- 80, health
('frontdesk.doctor()', 'owner', 'how everything does, of all'),
('frontdesk.health_check()', 'owner', 'how everything does, of all'),
('frontdesk.metrics()', 'owner', 'how everything does, of all'),
('frontdesk.verify_automation_setup()', 'owner', 'how everything does, of all'),
('frontdesk.verify_extensions()', 'public', 'the catalog'),
('frontdesk.blocking_sessions()', 'public', 'what the caller may see in pg_stat_activity'),
('frontdesk.long_transactions(interval)', 'public', 'what the caller may see in pg_stat_activity'),
('frontdesk.connection_stats()', 'public', 'what the caller may see in pg_stat_activity'),
('frontdesk.slow_queries(numeric,integer)', 'public', 'what the caller may see in pg_stat_statements'),
('frontdesk.table_sizes(integer)', 'public', 'sizes, as the catalog shows to everybody'),
('frontdesk.index_usage()', 'public', 'statistics that everybody may see'),
('frontdesk.cache_hit_ratio()', 'public', 'statistics that everybody may see'),
-- 85, crm
('frontdesk.install_crm(boolean)', 'owner', 'makes or drops a schema of the caller'),
('frontdesk.uninstall_crm(text)', 'owner', 'makes or drops a schema of the caller'),
('frontdesk_internal.crm_owner()', 'public', 'part of install_crm(), with the rights of the caller'),
('frontdesk_internal.crm_lock(regrole)', 'public', 'part of install_crm(), for roles that have the rights of this one'),
('frontdesk_internal.crm_scripts()', 'public', 'part of install_crm(); a constant'),
('frontdesk_internal.version_key(text)', 'public', 'part of install_crm(); a pure function'),
('frontdesk_internal.crm_text(text)', 'public', 'part of install_crm(), with the rights of the caller'),
('frontdesk.crm_version()', 'public', 'what the caller may read'),
-- 90, upkeep
('frontdesk.maintain()', 'owner', 'what the engine does by itself'),
-- 95, compat
('frontdesk.install_compat(text,text)', 'public', 'makes a schema of the caller'),
('frontdesk.uninstall_compat(text,text)', 'public', 'drops a schema of the caller'),
('frontdesk.compat_script(text)', 'public', 'a constant')
$$;
comment on function frontdesk_internal.grants() is 'who gets what of the extension, and why: public, owner (who may grant it); nobody without a line';

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

select frontdesk_internal.apply_grants();
select frontdesk_internal.watch_rights();

-- The engine begins its work when CREATE EXTENSION or ALTER EXTENSION UPDATE commits.
do $$
begin
  perform frontdesk.wake(reboot => true);
end
$$;
