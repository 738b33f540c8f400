-- Embedders and what is embedded, as declared; what a running engine does with them is tested by clients (tests/tests/embedder.rs).
set client_min_messages = error;
\set SHOW_CONTEXT never
select frontdesk.pause();

\echo # an embedder, and what is kept secret of it
select frontdesk.add_embedder('small', 'https://embeddings.example/v1/embeddings', 'text-embedding-3-small', 4, secret => 'sk-very-secret',
  headers => '{"X-Team": "crm", "X-Api-Key": "another-secret"}', requests_per_minute => 60);
\x on
select name, state, pending, failed, embedded, reused, requests, tokens, last_error, failures, next_try_at, url, model, dimensions, send_dimensions,
  encoding, headers, credential_headers, batch_size, batch_chars, max_in_flight, requests_per_minute, timeout_ms from frontdesk.embedders;
\x off
select count(*) as leaks from frontdesk.embedders e where e::text ~ 'secret$|sk-|another';
select header, secret <> 'sk-very-secret'::bytea as kept_as_bytes from frontdesk_internal.embedder_secret order by header;

\echo # bad input
select frontdesk.add_embedder('small', 'https://embeddings.example/v1', 'm', 4);
select frontdesk.add_embedder('', 'https://embeddings.example/v1', 'm', 4);
select frontdesk.add_embedder('x', 'ftp://embeddings.example/v1', 'm', 4);
select frontdesk.add_embedder('x', 'http://169.254.169.254/latest', 'm', 4);
select frontdesk.add_embedder('x', 'https://user:pw@embeddings.example/v1', 'm', 4);
select frontdesk.add_embedder('x', null, 'm', 4);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', ' ', 4);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 0);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', null);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, batch_size => 0);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, requests_per_minute => 0);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, timeout_ms => 1);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, max_in_flight => 1000);
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, encoding => 'hex');
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, headers => '["a"]');
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, headers => '{"Host": "other"}');
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, secret => 'a', headers => '{"authorization": "b"}');
select frontdesk.add_embedder('x', 'https://embeddings.example/v1', 'm', 4, secret => E'a\r\nb');
select frontdesk.alter_embedder('nobody', active => false);

\echo # its credentials belong to the host that they were given for
select frontdesk.add_embedder('keyed', 'https://one.example/v1', 'm', 4, secret => 'k1', headers => '{"x-api-key": "k2", "x-plain": "p"}');
select frontdesk.alter_embedder('keyed', url => 'https://one.example/v2');
select frontdesk.alter_embedder('keyed', url => 'https://two.example/v1');
select frontdesk.alter_embedder('keyed', url => 'https://two.example/v1', secret => 'k3');
select frontdesk.alter_embedder('keyed', url => 'https://two.example/v1', secret => 'k3', headers => '{"x-api-key": "k4"}');
select frontdesk.alter_embedder('keyed', url => 'https://three.example/v1', keep_credentials => true);
select frontdesk.remove_embedder('keyed');

\echo # a table whose text is embedded
create table note (id int primary key, body text, lang text default 'en', vec vector(4), n int, flat real[]);
insert into note (id, body) values (1, 'one'), (2, 'two'), (3, null), (4, E' \n '), (5, 'cinco');
update note set lang = 'es' where id = 5;
select frontdesk.embed_table('note', 'body', 'vec', 'small', 'lang = ''en''');
select source, content_column, embedding_column, embedder, condition, pending, failed from frontdesk.embed_tables;
select tgname from pg_trigger where tgrelid = 'note'::regclass order by 1;
select indexname from pg_indexes where tablename = 'note' order by 1;
select j.name, j.schedule, j.command ~ '^call frontdesk.embed_pending\(\d+\)$' as calls from frontdesk.jobs j;

\echo # what changes loses its vector, what stays keeps it
update note set vec = '[1,2,3,4]';
update note set lang = 'en', body = body where id = 1;
update note set body = 'two, again' where id = 2;
update note set body = 'three', vec = '[4,3,2,1]' where id = 5;
select id, body, vec from note order by id;
select pending, failed from frontdesk.embed_tables;

\echo # declared again: replaced
select frontdesk.embed_table('note', 'body', 'vec');
select source, embedder, condition, pending from frontdesk.embed_tables;

\echo # bad declarations
select frontdesk.embed_table('note', 'missing', 'vec');
select frontdesk.embed_table('note', 'n', 'vec');
select frontdesk.embed_table('note', 'body', 'flat');
select frontdesk.embed_table('note', 'body', 'body');
select frontdesk.embed_table('note', 'body', null);
select frontdesk.embed_table(null, 'body', 'vec');
select frontdesk.embed_table('note', 'body', 'vec', 'nobody');
select frontdesk.embed_table('note', 'body', 'vec', 'small', 'missing = 1');
select frontdesk.embed_table('note', 'body', 'vec', 'small', 'true); drop table note; --');
select frontdesk.embed_table('note', 'body', 'vec', 'small', 'true) --');
select frontdesk.embed_table('note', 'body', 'vec', 'small', 'true -- a comment');
select frontdesk.embed_table('pg_class', 'relname', 'relacl');
create view notes as select * from note;
select frontdesk.embed_table('notes', 'body', 'vec');
create table wide (body text, vec vector(8));
select frontdesk.embed_table('wide', 'body', 'vec');
call frontdesk.embed_pending(1);

\echo # halfvec, varchar, a partitioned table
create table part (id int, body varchar(200), vec halfvec) partition by list (id);
create table part1 partition of part for values in (1);
select frontdesk.embed_table('part', 'body', 'vec');
insert into part1 values (1, 'x');
select pending from frontdesk.embed_tables where source = 'part';
select frontdesk_internal.embed_store(s.id, array['part1'::regclass::oid], array['(0,1)'], array[hashtextextended('x', 0)], array['\x0000803f000000400000404000008040'::bytea])
from frontdesk_internal.embed_source s where s.source = 'part'::regclass;
select * from part;

\echo # the same text elsewhere has its vector already
insert into part values (1, 'x'), (1, 'y');
select frontdesk_internal.embed_reuse(s.id, 100) from frontdesk_internal.embed_source s where s.source = 'part'::regclass;
select * from part order by body, vec is null;

\echo # what is refused is tried again when it changes
select frontdesk_internal.embed_refuse(s.id, array[hashtextextended('y', 0)], 'status 400: too rude') from frontdesk_internal.embed_source s where s.source = 'part'::regclass;
select content, reason from frontdesk.embed_failures('part');
select pending, failed from frontdesk.embed_tables where source = 'part';
update part set body = 'polite' where body = 'y';
select pending from frontdesk.embed_tables where source = 'part';
select * from frontdesk.embed_failures('part');
select frontdesk.retry_embedding('part');

\echo # rights: to a table of another role, to its declaration, to the embedder
create role regress_embed;
grant create on schema public to regress_embed;
set role regress_embed;
create table mine (body text, vec vector(4));
select frontdesk.embed_table('mine', 'body', 'vec');
select frontdesk.embed('text');
select * from frontdesk.embedders;
select count(*) from frontdesk.embed_tables;
reset role;
grant execute on function frontdesk.embed_table(regclass, name, name, text, text) to regress_embed;
set role regress_embed;
select frontdesk.embed_table('note', 'body', 'vec');
select frontdesk.embed_table('mine', 'body', 'vec');
select source, owner from frontdesk.embed_tables;
insert into frontdesk_internal.embed_source (source, source_name, content_column, embedding_column, embedder_id, condition, owner)
  values ('note', 'note', 'body', 'vec', 1, 'true', 'regress_embed');
reset role;
drop owned by regress_embed;
drop role regress_embed;

\echo # a condition is evaluated by the owner of the table alone: not by a superuser who looks, asks to embed again, or counts
create table ran (who text);
grant select, insert on ran to public;
create role regress_towner;
grant create on schema public to regress_towner;
grant execute on function frontdesk.embed_table(regclass, name, name, text, text) to regress_towner;
set role regress_towner;
create table hers (id int primary key, body text, vec vector(4));
create function hers(text) returns boolean language plpgsql as $$ begin insert into public.ran values (current_user); return true; end $$;
insert into hers values (1, 'one', '[1,2,3,4]'), (2, 'two', null);
select frontdesk.embed_table('hers', 'body', 'vec', 'small', 'public.hers(body)');
reset role;
truncate ran;
select source, owner, pending from frontdesk.embed_tables where source = 'hers';
select pending >= 0 as counted from frontdesk.embedders;
select frontdesk.embed_again('hers');
select * from frontdesk.embed_failures('hers');
select frontdesk_internal.embed_rows(id) from frontdesk_internal.embed_source where source = 'hers'::regclass;
select * from frontdesk_internal.embed_pick((select id from frontdesk_internal.embed_source where source = 'hers'::regclass), 1, 100, '{}', '{}');
select frontdesk_internal.embed_declaration(id) from frontdesk_internal.embed_source where source = 'hers'::regclass;
select frontdesk.alter_embedder('small', model => 'text-embedding-4-small');
select * from ran;
select forget, vec from frontdesk_internal.embed_source s, hers where s.source = 'hers'::regclass order by hers.id;
-- what the job of the owner does with it
set role regress_towner;
select frontdesk_internal.embed_declaration(id) is not null as works from frontdesk_internal.embed_own where source = 'hers'::regclass;
select frontdesk_internal.embed_counted(id) from frontdesk_internal.embed_own where source = 'hers'::regclass;
select id, vec from hers order by id;
select distinct who from ran;
-- others neither see, count nor start it
select count(*) from frontdesk_internal.embed_own where source = 'part'::regclass;
reset role;
select id as part from frontdesk_internal.embed_source where source = 'part'::regclass \gset
set role regress_towner;
select frontdesk_internal.embed_start(:part, true);
select frontdesk_internal.embed_remove(:part);
select frontdesk_internal.embed_refuse(:part, '{1}', 'x');
select frontdesk_internal.embed_forget(:part, null);
select frontdesk_internal.embed_note(:part, 1, 1);
select frontdesk_internal.embed_declare('part', 'body', 'vec', 1, 'true');
update frontdesk_internal.embed_source set job_id = 1;
create trigger mine before update on hers for each row execute function frontdesk_internal.embed_reset('id');
create trigger mine after insert on hers for each statement execute function frontdesk_internal.embed_wake('vec');
reset role;
select source, pending, failed from frontdesk.embed_tables where source = 'hers';
select frontdesk.unembed_table('hers');
drop owned by regress_towner;
drop role regress_towner;
-- an application with the right to embed a text needs no other
create role regress_asker;
grant execute on function frontdesk.embed(text, text) to regress_asker;
set role regress_asker;
select frontdesk.embed('  ', 'small');
reset role;
drop owned by regress_asker;
drop role regress_asker;

\echo # no more
select frontdesk.remove_embedder('small');
select frontdesk.unembed_table('part'), frontdesk.unembed_table('note'), frontdesk.unembed_table('note');
select tgname from pg_trigger where tgrelid = 'note'::regclass;
select indexname from pg_indexes where tablename = 'note';
delete from frontdesk_internal.embed_source;
select frontdesk.remove_embedder('small'), frontdesk.remove_embedder('small');
select frontdesk.embed('text');
select frontdesk.embed(null);
