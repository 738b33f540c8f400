-- Room 160, documents: writing them, and the settings of an account.

create or replace function crm.add_document(
  content text, title text = null, category text = null, metadata jsonb = '{}', embedding @schema:vector@.vector = null,
  language text = null, source_type text = null, source_url text = null, source_file_name text = null, account uuid = null)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm_internal.this_account(account);
  found crm.documents;
begin
  select * into found from crm.documents d
  where d.account_id = owner and d.is_active and d.content_hash = sha256(convert_to(add_document.content, 'UTF8'))
    and d.title is not distinct from add_document.title and d.category is not distinct from add_document.category
  order by d.id limit 1 for update;
  if found.id is null then
    insert into crm.documents (account_id, content, title, category, metadata, embedding, language, source_type, source_url, source_file_name)
    values (owner, add_document.content, add_document.title, add_document.category, add_document.metadata, add_document.embedding,
            add_document.language, add_document.source_type, add_document.source_url, add_document.source_file_name)
    returning id into found.id;
  else
    update crm.documents d set metadata = coalesce(add_document.metadata, '{}'), embedding = coalesce(add_document.embedding, d.embedding)
    where d.id = found.id
      and (d.metadata <> add_document.metadata or add_document.embedding is not null and d.embedding is null);
  end if;
  return found.id;
end
$$;
comment on function crm.add_document(text, text, text, jsonb, @schema:vector@.vector, text, text, text, text, uuid) is
  'put a document into the knowledge base, and its id. Without an embedding it is cut into passages, which the engine '
  'embeds. The same content under the same title and category again is the same document';

create or replace function crm_internal.find_document(document bigint) returns crm.documents
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  found crm.documents;
begin
  select * into found from crm.documents d
  where d.id = document and (crm.current_user_id() is null or d.account_id in (select crm.my_accounts(true)))
  for update;
  if found.id is null then
    raise exception using errcode = 'no_data_found',
      message = format('no document %s that you may see', coalesce(document::text, 'null'));
  end if;
  return found;
end
$$;
comment on function crm_internal.find_document(bigint) is
  'internal: this document, locked, if it is there and the current user may change it';

create or replace function crm.replace_document(
  document bigint, content text, title text = null, category text = null, metadata jsonb = null,
  embedding @schema:vector@.vector = null, language text = null, source_type text = null, source_url text = null,
  source_file_name text = null)
returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  old crm.documents := crm_internal.find_document(document);
  new_id bigint;
begin
  if old.superseded_by is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('document %s was replaced already', document),
      detail = format('Its next version is document %s.', old.superseded_by),
      hint = 'Replace the last version.';
  end if;
  insert into crm.documents (account_id, content, title, category, metadata, embedding, language, source_type, source_url,
                             source_file_name, version)
  values (old.account_id, replace_document.content, coalesce(replace_document.title, old.title),
          coalesce(replace_document.category, old.category), coalesce(replace_document.metadata, old.metadata),
          replace_document.embedding, coalesce(replace_document.language, old.language),
          coalesce(replace_document.source_type, old.source_type), coalesce(replace_document.source_url, old.source_url),
          coalesce(replace_document.source_file_name, old.source_file_name), old.version + 1)
  returning id into new_id;
  -- Passages that both versions have keep their vectors: the engine is asked for the new ones only.
  update crm.document_chunks n set embedding = o.embedding
  from crm.document_chunks o
  where n.document_id = new_id and n.embedding is null and o.document_id = old.id
    and o.content_hash = n.content_hash and o.embedding is not null;
  update crm.documents d set is_active = false, superseded_by = new_id where d.id = old.id;
  return new_id;
end
$$;
comment on function crm.replace_document(bigint, text, text, text, jsonb, @schema:vector@.vector, text, text, text, text) is
  'put a new version in the place of a document, and its id; the old version is kept and not searched any more. What '
  'is not given stays as it was';

create or replace function crm.remove_document(document bigint) returns int
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  versions bigint[];
begin
  perform crm_internal.find_document(document);
  with recursive earlier as (
    select d.id from crm.documents d where d.id = document
    union
    select d.id from earlier e join crm.documents d on d.superseded_by = e.id
  ), later as (
    select d.superseded_by as id from crm.documents d where d.id = document
    union
    select d.superseded_by from later l join crm.documents d on d.id = l.id
  )
  select array_agg(e.id) into versions from (select id from earlier union select id from later) e where e.id is not null;
  delete from crm.documents d where d.id = any (versions);
  return cardinality(versions);
end
$$;
comment on function crm.remove_document(bigint) is
  'delete a document with all its versions and passages, and how many versions that were';

create or replace function crm.configure_knowledge(
  model text = null, dimensions int = null, chunk_size int = null, chunk_overlap int = null, account uuid = null)
returns crm.knowledge_settings
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm_internal.this_account(account);
  before crm.knowledge_settings;
  s crm.knowledge_settings;
begin
  insert into crm.knowledge_settings (account_id) values (owner) on conflict do nothing;
  select * into before from crm.knowledge_settings k where k.account_id = owner for update;
  update crm.knowledge_settings k
  set model = coalesce(configure_knowledge.model, k.model), dimensions = coalesce(configure_knowledge.dimensions, k.dimensions),
      chunk_size = coalesce(configure_knowledge.chunk_size, k.chunk_size),
      chunk_overlap = coalesce(configure_knowledge.chunk_overlap, k.chunk_overlap)
  where k.account_id = owner returning * into s;
  if s.account_id is null then
    raise exception using errcode = 'insufficient_privilege', message = format('you may not change account %s', owner);
  end if;
  if (s.model, s.dimensions) is distinct from (before.model, before.dimensions) then
    -- Vectors of two models cannot be compared: what the engine made it makes again, what the application made goes.
    update crm.documents d set embedding = null where d.account_id = owner and d.embedding is not null;
    update crm.document_chunks c set embedding = null where c.account_id = owner and c.embedding is not null;
  end if;
  if (s.chunk_size, s.chunk_overlap) is distinct from (before.chunk_size, before.chunk_overlap) then
    delete from crm.document_chunks c where c.account_id = owner;
    update crm.documents d set is_active = true where d.account_id = owner and d.is_active and d.embedding is null;
  end if;
  return s;
end
$$;
comment on function crm.configure_knowledge(text, int, int, int, uuid) is
  'change how the documents of an account are embedded and cut. With another model or number of dimensions all its '
  'vectors are computed again, with another size all its passages are cut again. What is not given stays';

create or replace function crm.set_document_dimensions(dimensions int) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  r record;
begin
  if dimensions not between 1 and 4096 then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('dimensions must be between 1 and 4096, not %s', dimensions);
  end if;
  lock table crm.documents in access exclusive mode;
  for r in select i.indexrelid::regclass as index from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
           where i.indrelid = 'crm.documents'::regclass and a.amname in ('hnsw', 'ivfflat') loop
    execute format('drop index %s', r.index);
  end loop;
  execute format('alter table crm.documents alter column embedding type @schema:vector@.vector%s',
                 coalesce('(' || dimensions || ')', ''));
  return case when dimensions is null then 'crm.documents.embedding takes vectors of any dimensions; each account has its own'
              else format('crm.documents.embedding takes vectors of %s dimensions', dimensions) end;
end
$$;
comment on function crm.set_document_dimensions(int) is
  'the dimensions of crm.documents.embedding, for applications that embed by themselves: 1536 at first; null: any, '
  'when accounts differ. Vector indexes of the table go, and come back by themselves. The passages of '
  'crm.document_chunks need nothing of this';
