-- What cannot be searched with, and who may not.
create table notes (id int primary key, content text, metadata jsonb, embedding vector(3));
insert into notes values (1, 'red apples', '{"a": 1}', '[1,0,0]');
create table plain (id int primary key, content text);
create table two (id int primary key, v vector(2), w vector(2), i jsonb, j jsonb);

\set SHOW_CONTEXT never
select * from frontdesk.search_documents('notes', '[1,0]');
\echo :LAST_ERROR_SQLSTATE
select * from frontdesk.search_documents('notes', '[0,0,0]');
select * from frontdesk.search_documents('notes', '[NaN,0,0]');
select * from frontdesk.search_documents('notes');
select * from frontdesk.search_documents('notes', query => '  ');
select * from frontdesk.search_documents('notes', '[1,0,0]', threshold => 1.5);
select * from frontdesk.search_documents('notes', '[1,0,0]', threshold => -0.1);
select * from frontdesk.search_documents('notes', '[1,0,0]', threshold => 'NaN');
select * from frontdesk.search_documents('notes', '[1,0,0]', count => 0);
select * from frontdesk.search_documents('notes', '[1,0,0]', count => 1000000);
select * from frontdesk.search_documents('notes', '[1,0,0]', count => null);
select * from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"a": {"$near": 1}}');
select * from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"a": {"$regex": "x"}}');
select * from frontdesk.search_documents('notes', '[1,0,0]', filter => '[]');
select * from frontdesk.search_documents('notes', '[1,0,0]', filter => (repeat('{"$not":', 40) || '{}' || repeat('}', 40))::jsonb);
select * from frontdesk.search_documents('plain', '[1,0,0]');
select * from frontdesk.search_documents('plain', query => 'x');
select * from frontdesk.search_documents('two', '[1,0]');
select * from frontdesk.search_documents('two', '[1,0]', embedding_column => 'nope');
select * from frontdesk.search_documents('two', '[1,0]', embedding_column => 'v', filter => '{"a": 1}');
select * from frontdesk.search_documents('two', '[1,0]', embedding_column => 'v', metadata_column => 'k');
select * from frontdesk.search_documents('two', '[1,0]', 'words', embedding_column => 'v');
select * from frontdesk.search_documents('notes', '[1,0,0]', content_column => 'id');
select * from frontdesk.explain_search('notes', null);
-- nothing of what is given is run
select frontdesk.compile_filter('{"a": 1}', 'm; drop table notes');
select frontdesk.compile_filter('{"a''; drop table notes; --": {"$starts_with": "''; drop table notes; --"}}', 'm');
select id from frontdesk.search_documents('notes', '[1,0,0]', filter => '{"a''); drop table notes; --": 1}');
select count(*) from notes;

-- a role sees what it may read
create role regress_reader;
grant usage on schema public to regress_reader;
set role regress_reader;
select * from frontdesk.search_documents('notes', '[1,0,0]');
reset role;
grant select on notes to regress_reader;
alter table notes enable row level security;
set role regress_reader;
select * from frontdesk.search_documents('notes', '[1,0,0]');
reset role;
create policy even on notes using (id % 2 = 0);
insert into notes values (2, 'green pears', '{}', '[0,1,0]');
set role regress_reader;
select id from frontdesk.search_documents('notes', '[1,0,0]', 'red apples');
reset role;
revoke all on notes from regress_reader;
revoke usage on schema public from regress_reader;
drop role regress_reader;

-- what has no rows of its own is refused in a sentence; a materialized view has
create view seen as select * from notes;
select * from frontdesk.search_documents('seen', '[1,0,0]');
select * from frontdesk.search_documents('seen', query => 'apples');
create materialized view kept as select * from notes;
select count(*) > 0 from frontdesk.search_documents('kept', '[1,0,0]');

-- bounds
select * from frontdesk.search_documents('notes', query => repeat('word ', 3000));
select count(*) from frontdesk.split_text(repeat('x', 70000000));
select count(*) from frontdesk.split_text(repeat('many words ', 200000), 5000, 4999);
