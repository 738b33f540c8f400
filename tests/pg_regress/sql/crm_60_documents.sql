-- Documents: written plainly or by verbs, cut into passages, replaced, removed, each account's its own.
\set SHOW_CONTEXT never
set client_min_messages = warning;
select frontdesk.install_crm();
set search_path = crm, frontdesk, public;
select name, description from document_categories order by name;
select model, dimensions, chunk_size, chunk_overlap from knowledge_settings;

-- as the seed inserts it: no account, no embedding
insert into documents (content, title, category, metadata, embedding)
values ('Return Policy: All products can be returned within 30 days of purchase.', 'Return and Refund Policy', 'faq',
  '{"section": "customer_service"}'::jsonb, null);
select d.id, d.version, d.is_active, d.language, encode(d.content_hash, 'hex') = encode(sha256(convert_to(d.content, 'UTF8')), 'hex') as hashed,
  c.position, c.content = d.content as whole, c.title, c.category, c.metadata, c.embedding is null as waits
from documents d join document_chunks c on c.document_id = d.id;

-- a long one is cut by the account's settings; the same content again is the same document
select (configure_knowledge(chunk_size => 60, chunk_overlap => 0, model => 'small', dimensions => 3)).dimensions;
select add_document('We open at nine. We close at six. On Sundays we are closed all day. In August we open an hour later than usual.', 'Hours', 'procedure') as id;
select add_document('We open at nine. We close at six. On Sundays we are closed all day. In August we open an hour later than usual.', 'Hours', 'procedure', '{"page": 2}') as id;
select position, content, metadata from document_chunks where document_id = 2 order by 1;
update document_chunks set embedding = '[1,2,3]' where document_id = 2;
-- a change keeps the vectors of the passages that are there again
update documents set content = content || ' We answer at once.', title = 'Opening hours' where id = 2;
select position, content, title, embedding from document_chunks where document_id = 2 order by 1;
select updated_at > created_at as touched from documents where id = 2;

-- versions: the old one is kept and not searched
select replace_document(2, 'We open at nine. We close at six. On Sundays we are closed all day. We never sleep.') as id;
select id, version, title, category, is_active, superseded_by from documents order by id;
select document_id, position, content, embedding from document_chunks where document_id in (2, 3) order by 1, 2;
select replace_document(2, 'again');
select remove_document(3) as versions;
select count(*) from documents;
select remove_document(3);

-- a document with a vector of its own has no passages
select set_document_dimensions(3);
select add_document('Red apples.', embedding => '[1,0,0]') as id;
select count(*) from document_chunks where document_id = 4;
update documents set embedding = null where id = 4;
select count(*) from document_chunks where document_id = 4;
update documents set embedding = '[0,1,0]' where id = 4;
select count(*) from document_chunks where document_id = 4;
-- its vector is of the content: a new content has none until it is given
update documents set content = 'Green apples.' where id = 4;
select embedding, (select count(*) from document_chunks where document_id = 4) as chunks from documents where id = 4;
-- another model: all vectors are made anew
update document_chunks set embedding = '[1,2,3]';
select (configure_knowledge(model => 'large', dimensions => 4)).model;
select count(*), count(embedding) from document_chunks;
-- all dimensions in one table
select set_document_dimensions(null);
select add_document('Pears.', embedding => '[1,0,0,0]') as id;

-- what is refused
select add_document('x', metadata => '["a"]');
select add_document('x', category => 'gossip');
select add_document('   ');
select add_document(null);
\set VERBOSITY terse
select add_document('x', embedding => '[1,0,0]');
select add_document('x', embedding => '[0,0,0,0]');
update document_chunks set embedding = '[1,2]';
select add_document('x', source_type => 'rumour');
select configure_knowledge(dimensions => 5000);
select configure_knowledge(chunk_size => 100, chunk_overlap => 100);
select set_document_dimensions(0);
select replace_document(999, 'x');
select remove_document(null);

-- a stranger's account
insert into accounts (id, name) values ('00000000-0000-0000-0000-00000000000b', 'Other');
insert into account_members values ('00000000-0000-0000-0000-00000000000b', 'bob');
create role regress_crm_user;
grant usage on schema public to regress_crm_user;
select grant_access('regress_crm_user');
set role regress_crm_user;
set frontdesk.user_id = 'bob';
select count(*) from documents;
select add_document('Bob''s own.', 'Mine', 'general') as id;
insert into documents (content) values ('Bob''s second.');
select document_id, content from document_chunks;
select remove_document(1);
select replace_document(1, 'x');
select add_document('x', account => (select id from accounts where name = 'My business'));
select add_document('x', account => '00000000-0000-0000-0000-00000000000a');
insert into documents (account_id, content) values ('00000000-0000-0000-0000-00000000000a', 'x');
reset role;
reset frontdesk.user_id;
select count(distinct account_id), count(*) from documents;
select add_document('Whose?');
delete from accounts where name = 'Other';
select count(*) from documents;
drop owned by regress_crm_user;
drop role regress_crm_user;
