-- Documents out and in again, bit by bit.
set client_min_messages = error;
\set SHOW_CONTEXT never
set timezone = 'UTC';
select frontdesk.install_crm();
delete from crm.accounts;
insert into crm.accounts (id, name) values ('11111111-1111-1111-1111-111111111111', 'Main street');
select crm.configure_knowledge(dimensions => 4, chunk_size => 60, chunk_overlap => 0) is not null as configured;

\echo # vectors with every kind of float
select crm.add_document(E'Opening hours.\n\nMonday to Friday from nine to five, as long as nobody is ill.\n\nOn "Saturday" by appointment \\ only.', 'Hours', 'faq',
  '{"page": 1.50, "tags": ["a", "ñ"]}') as first;
select crm.add_document('Prices: 40 euros.', 'Prices', 'policy') as second;
select crm.replace_document(2, 'Prices: 45 euros.') as third;
update crm.document_chunks set embedding = case position when 1 then '[0.1,-0,1e-38,3.4028235e38]'
  when 2 then '[1.1754944e-38,1e-45,-1.0000001,16777217]' else '[0.333333343,2,3,4]' end::vector where document_id = 1;
select count(*) as chunks from crm.document_chunks;

create table line as select l, row_number() over () as n from crm.export_documents() l;
select n, l::jsonb - '{created_at,updated_at,chunks}'::text[] as document, jsonb_array_length(nullif(l::jsonb->'chunks', 'null')) as chunks from line order by n;
create table before as select id, title, content, metadata, category, version, is_active, superseded_by, language, created_at from crm.documents;
create table chunk_before as select document_id, position, content, vector_send(embedding) as bits from crm.document_chunks;

\echo # into an empty account: ids kept, sequence moved, nothing different
delete from crm.documents;
select setval('crm.documents_id_seq', 1, false);
select crm.import_document(l::jsonb) from line order by n;
select * from before except select id, title, content, metadata, category, version, is_active, superseded_by, language, created_at from crm.documents;
select count(*) as equal_to_the_bit from (select * from chunk_before intersect
  select document_id, position, content, vector_send(embedding) from crm.document_chunks) e;
select crm.add_document('Something new.') as next_id;

\echo # again: nothing happens
create table ids as select id from crm.document_chunks;
select crm.import_documents(string_agg(l, E'\n' order by n) || E'\n\n') from line;
select count(*) as documents from crm.documents;
select count(*) = (select count(*) from ids) as same_chunks from crm.document_chunks join ids using (id);

\echo # into another account, in any order: ids are taken, so new ones are given and references follow
insert into crm.accounts (id, name) values ('22222222-2222-2222-2222-222222222222', 'Branch');
select crm.configure_knowledge(dimensions => 4, account => '22222222-2222-2222-2222-222222222222') is not null as configured;
select crm.import_document(l::jsonb, '22222222-2222-2222-2222-222222222222') > 4 as new_id from line order by n desc;
select d.title, d.version, d.is_active, n.version as superseded_by_version from crm.documents d left join crm.documents n on n.id = d.superseded_by
where d.account_id = '22222222-2222-2222-2222-222222222222' order by d.title, d.version;
select crm.import_document(l::jsonb, '22222222-2222-2222-2222-222222222222') > 4 as again from line;
select count(*) from crm.documents where account_id = '22222222-2222-2222-2222-222222222222';

\echo # bad lines
select crm.import_document('[]', '11111111-1111-1111-1111-111111111111');
select crm.import_document('{"id": "1", "content": "x"}', '11111111-1111-1111-1111-111111111111');
select crm.import_document('{"id": 1}', '11111111-1111-1111-1111-111111111111');
select crm.import_documents(E'\n{"id": 77, "content": "fine"}\n{broken', '11111111-1111-1111-1111-111111111111');
select crm.import_document('{"id": 78, "content": "x", "chunks": [{"position": 1, "content": "x", "embedding": "[1,2]"}]}', '11111111-1111-1111-1111-111111111111');
select crm.import_document('{"id": 78, "content": "x"}', '33333333-3333-3333-3333-333333333333');
select crm.import_document('{"id": 78, "content": "x"}');
select count(*) from crm.documents where id >= 77;

\echo # a member of one account neither exports nor changes the other
insert into crm.account_members (account_id, user_id) values ('22222222-2222-2222-2222-222222222222', 'bea');
set frontdesk.user_id = 'bea';
select count(*) from crm.export_documents();
select count(*) from crm.export_documents('11111111-1111-1111-1111-111111111111');
select crm.import_document('{"id": 1, "content": "x"}', '11111111-1111-1111-1111-111111111111');
