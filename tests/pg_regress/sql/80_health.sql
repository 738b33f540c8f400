-- Room 80, health: what is wrong here, and what to type.
\set SHOW_CONTEXT never
set client_min_messages = error;

-- The engine, an endpoint, a job, a trigger, a dead delivery: each with its remedy. What the machine itself is like is left out.

select frontdesk.pause('for the test');
select frontdesk.add_endpoint('crm', 'http://hooks.example.com/crm') is not null as added;
select frontdesk.pause_endpoint('crm');
create table lead (id int primary key);
select frontdesk.watch('lead');
insert into lead values (1);
alter table lead disable trigger "!frontdesk_capture";
create role health_gone nologin;
select severity, area, regexp_replace(finding, '\d{4}-[^ ]+ [0-9:+]+', 'then') as finding, regexp_replace(remedy, '\d+', 'N', 'g') as remedy
from frontdesk.doctor() where area in ('engine', 'endpoint', 'watch', 'job', 'reminder', 'secrets', 'log', 'crm');
alter table lead enable trigger "!frontdesk_capture";
select frontdesk.remove_endpoint('crm');
select frontdesk.resume();
select count(*) from frontdesk.doctor() where area in ('endpoint', 'watch', 'job', 'reminder', 'secrets', 'log', 'crm');

-- Metrics: every line is OpenMetrics, each family once, its end is told.

select line from regexp_split_to_table(frontdesk.metrics(), E'\n') line
where line !~ '^(# TYPE [a-z_]+ (gauge|counter|info|stateset)|# HELP [a-z_]+ .+|# EOF|[a-z_]+(\{[a-z_]+="([^"\\]|\\.)*"(,[a-z_]+="([^"\\]|\\.)*")*\})? -?[0-9.]+)?$';
select right(frontdesk.metrics(), 6) = E'# EOF\n' as ends;
select count(*) = count(distinct line) as each_once from regexp_split_to_table(frontdesk.metrics(), E'\n') line where line like '# TYPE%';
select frontdesk.add_endpoint('a.b:c', 'https://hooks.example.com/') is not null as added;
select line from regexp_split_to_table(frontdesk.metrics(), E'\n') line where line like 'frontdesk_endpoint_%' order by 1;
select frontdesk_internal.label(E'a "quoted" \\ line\nbreak');

-- Health, as monitoring asks for it.

select jsonb_object_keys(h) from frontdesk.health_check() h order by 1;
select h->'databases'->'main'->>'type' as type, h->'databases'->'main'->'table_counts' ? 'lead' as lead, h->'performance' ?& '{active_connections,transactions_committed,transactions_rolled_back,tuples_returned,tuples_fetched}' as performance
from frontdesk.health_check() h;

-- What is there, and what is not needed.

select extension_name, installed, case when installed then 'some' else version end as version from frontdesk.verify_extensions() order by 1;
select component, details from frontdesk.verify_automation_setup() where component in ('realtime', 'sources', 'crm');

-- What a database of anybody shows.

select relation from frontdesk.table_sizes(1000) where relation = 'lead'::regclass;
select index, unique_ from frontdesk.index_usage() where relation = 'lead'::regclass;
select count(*) > 0 as some from frontdesk.connection_stats();
select what from frontdesk.cache_hit_ratio();
select count(*) from frontdesk.blocking_sessions() where blocked_pid = pg_backend_pid();
select count(*) from frontdesk.long_transactions('1 hour') where pid = pg_backend_pid();
select count(*) from frontdesk.slow_queries();
drop role health_gone;
