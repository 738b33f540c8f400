-- match_documents and hybrid_search: the seed's examples, filters, versions, accounts, bad input.
\set SHOW_CONTEXT never
set client_min_messages = warning;
select frontdesk.install_crm();
set search_path = crm, frontdesk, public;

-- vectors of 1536 dimensions with a known angle between them: direction 1 is the question
create function vec(share float, other int) returns vector immutable language sql as $$
  select array_agg(case when n = 1 then share when n = other then sqrt(1 - share * share) else 0 end)::vector(1536) from generate_series(1, 1536) n
$$;
insert into documents (content, title, category, metadata, embedding) values
  ('Senior Backend Developer - Interim Position', 'Senior Backend Developer - Interim', 'vacancy',
   '{"job_type": "interim", "budget_min": 70000, "budget_max": 90000, "location": "Amsterdam", "skills": ["Python", "FastAPI", "PostgreSQL"]}', vec(0.95, 2)),
  ('Junior Developer', 'Junior Developer', 'vacancy', '{"job_type": "permanent", "budget_min": 40000, "skills": ["Python"]}', vec(0.9, 3)),
  ('Designer', 'Designer', 'vacancy', '{"job_type": "interim", "budget_min": "negotiable"}', vec(0.85, 4)),
  ('Products can be returned within 30 days.', 'Return and Refund Policy', 'policy', '{"section": "customer_service"}', vec(0.82, 5)),
  ('Shipping takes two days.', 'Shipping', 'faq', '{}', vec(0.5, 6));

-- seed, section 3.4
select * from match_documents(
    query_embedding := vec(1, 2)::vector(1536),
    match_threshold := 0.78,
    match_count := 5
);
select id, title from match_documents(
    query_embedding := vec(1, 2)::vector(1536),
    match_threshold := 0.80,
    match_count := 3,
    filter_category := 'policy'
);
select id, title from match_documents(
    query_embedding := vec(1, 2)::vector(1536),
    match_threshold := 0.75,
    match_count := 5,
    filter_category := 'vacancy',
    filter_metadata := '{"job_type": "interim"}'::jsonb
);
-- A.3
select id, title from match_documents(
    query_embedding := vec(1, 2)::vector(1536),
    match_threshold := 0.80,
    match_count := 5,
    filter_category := 'vacancy'
);
select id, title from match_documents(
    query_embedding := vec(1, 2)::vector(1536),
    match_threshold := 0.75,
    match_count := 5,
    filter_category := 'vacancy',
    filter_metadata := '{"budget_min": {"$gte": 70000}}'::jsonb
);
-- 5.2, and 3.2: the recipe for an index
set maintenance_work_mem = '256MB';
drop index if exists idx_documents_embedding;
create index idx_documents_embedding
on documents
using ivfflat (embedding vector_cosine_ops)
with (lists = 500);
select count(*) from match_documents(query_embedding := vec(1, 2)::vector(1536), match_threshold := 0.78, match_count := 5, filter_category := 'vacancy');
select source, dimensions, embedded, missing, index, state from knowledge_status();
select vector_indexes from frontdesk.status();
drop index idx_documents_embedding;
create index idx_documents_embedding on documents using hnsw (embedding vector_cosine_ops);
select id from match_documents(vec(1, 2));
select way from crm_internal.nearest_in(false, vec(1, 2), null, 3, 'index') limit 1;
select category, documents, recall from quality_report(2);
-- the same by the planner's own choice, as the seed's function asked
select id from documents where 1 - (embedding <=> vec(1, 2)) > 0.78 order by 1 - (embedding <=> vec(1, 2)) desc;

-- filters: what contains it, and the whole language
select id from match_documents(vec(1, 2), 0, 5, filter_metadata => '{"skills": ["Python"]}');
select id from match_documents(vec(1, 2), 0, 5, filter_metadata => '{"$and": [{"job_type": {"$in": ["interim", "freelance"]}}, {"$not": {"location": {"$exists": true}}}]}');
select id from match_documents(vec(1, 2), 0, 5, filter_metadata => '{"section": {"$starts_with": "customer"}}');
select id from match_documents(vec(1, 2), 0, 5, filter_metadata => '{}');
select count(*) from match_documents(vec(1, 2), 0, 5, 'gossip');
select id from match_documents(vec(1, 2), null, 10);
-- for LangChain
select id, metadata->>'job_type' as job_type, round(similarity::numeric, 2) as similarity from match_documents_langchain(vec(1, 2), 2);
select count(*) from match_documents_langchain(query_embedding => vec(1, 2), filter => '{"job_type": "interim"}');

select id, embedding = vec(0.95, 2) as embedding, similarity > 0.9 as near from match_documents_langchain(vec(1, 2), 1);
select id, jsonb_typeof(embedding), jsonb_array_length(embedding) from match_documents_langchain_js(vec(1, 2), 1);
select count(*) from hybrid_search(repeat('word ', 3000));

-- a replaced version is not found
select replace_document(1, 'Senior Backend Developer - filled', embedding => vec(0.6, 2)) as id;
select id, round(similarity::numeric, 2) as similarity from match_documents(vec(1, 2), 0.55, 10);
-- passages: the id is the document's, the content the passage
select (configure_knowledge(chunk_size => 50, chunk_overlap => 0)).chunk_size;
select add_document('The parking place is behind the house. The code of the gate is 4711 at night.', 'Parking', 'procedure', '{"floor": 0}') as id;
update document_chunks set embedding = vec(0.97, 1 + position) where position = 2;
select id, content, title, category, round(similarity::numeric, 2) as similarity from match_documents(vec(1, 2), 0.8, 2);
select id, content from match_documents(vec(1, 2), 0.8, 2, 'procedure', '{"floor": 0}');

-- words and vectors together
select id, title, round(similarity::numeric, 2) as similarity from hybrid_search('gate code 4711', vec(1, 2), count => 3);
select id, content, similarity from hybrid_search('where is the parking place?');
select id from hybrid_search('developer', filter => '{"job_type": "permanent"}');
select id from hybrid_search(null, vec(1, 2), count => 2);
select id from hybrid_search('shipping -takes');

-- what is refused
select * from match_documents('[1,2,3]');
select * from match_documents(null);
select * from match_documents(vec(1, 2) - vec(1, 2));
select * from match_documents(vec(1, 2), 1.2);
select * from match_documents(vec(1, 2), -1);
select * from match_documents(vec(1, 2), match_count => 0);
select * from match_documents(vec(1, 2), match_count => 100000000);
select * from match_documents(vec(1, 2), filter_metadata => '{"budget_min": {"$atleast": 70000}}');
select * from match_documents(vec(1, 2), filter_metadata => '{"a": {"b": {"$gte": 1}}}');
select * from match_documents(vec(1, 2), filter_metadata => '[1]');
select * from match_documents(vec(1, 2), filter_category => $$x' or true or 'x$$);
select * from hybrid_search(null);
select * from hybrid_search('');

-- accounts: a member finds what is the account's, whichever way the rows are reached
insert into accounts (id, name) values ('00000000-0000-0000-0000-00000000000b', 'Other');
insert into account_members values ('00000000-0000-0000-0000-00000000000b', 'bob');
insert into documents (account_id, content, title, embedding) values ('00000000-0000-0000-0000-00000000000b', 'Bob''s developer', 'Bob''s', vec(0.7, 9));
select title from match_documents(vec(1, 2), 0, 10, account => '00000000-0000-0000-0000-00000000000b');
set frontdesk.user_id = 'bob';
select title from match_documents(vec(1, 2), 0, 10);
create role regress_crm_user;
grant usage on schema public to regress_crm_user;
select grant_access('regress_crm_user');
set role regress_crm_user;
select title from match_documents(vec(1, 2), 0, 10);
select title from hybrid_search('developer', vec(1, 2));
select * from match_documents(vec(1, 2), account => '00000000-0000-0000-0000-00000000000a');
set frontdesk.user_id = 'nobody';
select title from match_documents(vec(1, 2), 0, 10);
reset role;
reset frontdesk.user_id;
drop owned by regress_crm_user;
drop role regress_crm_user;
-- the upkeep asks for an index when there are enough
select name, schedule from frontdesk.jobs where name like 'crm: vector%';
drop index idx_documents_embedding;
select build_vector_indexes(), build_vector_indexes(3);
select name, command from frontdesk.jobs where name like 'crm: build%';
select source, dimensions, embedded, missing, index, state from knowledge_status();
select vector_indexes from frontdesk.status();
