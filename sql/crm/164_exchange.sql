-- Room 164, exchange: documents with their passages and vectors, as lines of JSON.

create table if not exists crm.document_imports (
  account_id uuid not null references crm.accounts on delete cascade,
  origin_id bigint not null,
  document_id bigint not null,
  next_origin_id bigint,
  primary key (account_id, origin_id),
  foreign key (account_id, document_id) references crm.documents (account_id, id) on delete cascade);
comment on table crm.document_imports is 'what import_document() made of the ids of where the documents came from';
comment on column crm.document_imports.next_origin_id is 'the id, there, of the version that superseded it';
create index if not exists document_imports_document_idx on crm.document_imports (account_id, document_id);
create index if not exists document_imports_next_idx on crm.document_imports (account_id, next_origin_id);
select crm.protect('crm.document_imports');

create or replace function crm.export_documents(account uuid = null, all_versions boolean = true) returns setof text
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- A vector is a JSON string, because a JSON number knows no -0; its text is the shortest that reads back as the same bits.
  select json_build_object('id', d.id, 'title', d.title, 'category', d.category, 'language', d.language, 'version', d.version,
    'is_active', d.is_active, 'superseded_by', d.superseded_by, 'source_type', d.source_type, 'source_url', d.source_url,
    'source_file_name', d.source_file_name, 'created_at', d.created_at, 'updated_at', d.updated_at, 'metadata', d.metadata,
    'content', d.content, 'embedding', d.embedding::text,
    'chunks', (select json_agg(json_build_object('position', c.position, 'content', c.content, 'embedding', c.embedding::text) order by c.position)
      from crm.document_chunks c where c.document_id = d.id))::text
  from crm.documents d
  where d.account_id = crm_internal.this_account(export_documents.account) and (all_versions or d.is_active)
  order by d.id
$$;
comment on function crm.export_documents(uuid, boolean) is
  'the documents of an account with their passages and vectors, a line of JSON each, for import_document(). Call it '
  'as "select crm.export_documents()": so the lines are made one by one, however many';

create or replace function crm.import_document(line jsonb, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm_internal.this_account(account);
  origin bigint;
  hash bytea;
  found bigint;
  vector text := line->>'embedding';
begin
  if jsonb_typeof(line) is distinct from 'object' or jsonb_typeof(line->'id') is distinct from 'number'
     or jsonb_typeof(line->'content') is distinct from 'string' then
    raise exception using errcode = 'invalid_parameter_value',
      message = 'this is not a line written by export_documents()',
      detail = left(line::text, 200), hint = 'A JSON object with at least "id" (a number) and "content" (a string).';
  end if;
  origin := (line->>'id')::bigint;
  hash := sha256(convert_to(line->>'content', 'UTF8'));
  -- The same line again, or a document that is here already.
  select d.id into found from crm.documents d
  left join crm.document_imports i on i.account_id = d.account_id and i.document_id = d.id and i.origin_id = origin
  where d.account_id = owner and d.content_hash = hash
    and (i.origin_id is not null or d.id = origin
      or (d.title, d.category, d.version) is not distinct from (line->>'title', (line->>'category')::varchar, coalesce((line->>'version')::int, 1)))
  order by i.origin_id is null, d.id <> origin, d.id limit 1;
  if found is null then
    found := crm_internal.insert_document(line, owner, origin);
  elsif vector is not null then
    update crm.documents d set embedding = vector::@schema:vector@.vector where d.id = found and d.embedding is null;
  end if;
  perform crm_internal.import_chunks(found, owner, line->'chunks');
  insert into crm.document_imports as i (account_id, origin_id, document_id, next_origin_id)
  values (owner, origin, found, (line->>'superseded_by')::bigint)
  on conflict (account_id, origin_id) do update set document_id = excluded.document_id, next_origin_id = excluded.next_origin_id;
  -- A version may come before or after the one that superseded it.
  update crm.documents d set superseded_by = n.document_id
  from crm.document_imports o join crm.document_imports n on n.account_id = o.account_id and n.origin_id = o.next_origin_id
  where o.account_id = owner and (o.origin_id = origin or n.origin_id = origin) and d.id = o.document_id
    and d.superseded_by is null and not d.is_active and n.document_id <> d.id
    and not exists (select from crm.documents x where x.superseded_by = n.document_id);
  return found;
end
$$;
comment on function crm.import_document(jsonb, uuid) is
  'take in a line of export_documents(): the document with its passages and vectors, bit by bit. Its id is kept where '
  'it is free, otherwise it gets a new one; the same line again changes nothing. Returns the id here';

create or replace function crm_internal.insert_document(line jsonb, owner uuid, origin bigint) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  sequence regclass := pg_get_serial_sequence('crm.documents', 'id');
  this bigint := origin;
  highest bigint;
begin
  if exists (select from crm.document_imports i where i.account_id = owner and i.origin_id = origin) or this is null or this < 1 then
    this := nextval(sequence);
  end if;
  if line->>'category' is not null then
    insert into crm.document_categories (account_id, name) values (owner, line->>'category') on conflict do nothing;
  end if;
  if not exists (select from crm.document_sources s where s.name = line->>'source_type') and line->>'source_type' is not null then
    insert into crm.document_sources values (line->>'source_type', '') on conflict do nothing;
  end if;
  loop
    insert into crm.documents (id, account_id, content, title, embedding, metadata, category, source_type, source_url, source_file_name,
      language, version, is_active, created_at, updated_at)
    overriding system value
    values (this, owner, line->>'content', line->>'title', (line->>'embedding')::@schema:vector@.vector, coalesce(line->'metadata', '{}'),
      line->>'category', line->>'source_type', line->>'source_url', line->>'source_file_name', line->>'language',
      coalesce((line->>'version')::int, 1), coalesce((line->>'is_active')::boolean, true),
      coalesce((line->>'created_at')::timestamptz, clock_timestamp()), coalesce((line->>'updated_at')::timestamptz, clock_timestamp()))
    on conflict (id) do nothing;
    exit when found;
    -- The id belongs to another document here, perhaps to one that we may not see.
    this := nextval(sequence);
  end loop;
  execute format('select last_value from %s', sequence) into highest;
  if this > highest then
    perform setval(sequence, this);
  end if;
  return this;
end
$$;
comment on function crm_internal.insert_document(jsonb, uuid, bigint) is
  'internal: a document of import_document(), under its id if that is free; the sequence is moved behind it';

create or replace function crm_internal.import_chunks(document bigint, owner uuid, chunks jsonb) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if jsonb_typeof(chunks) is distinct from 'array' then
    return;
  end if;
  -- Already so?
  if not exists (
    select from (select (c->>'position')::int as position, c->>'content' as content, c->>'embedding' as embedding from jsonb_array_elements(chunks) c) n
    full join (select o.position, o.content, o.embedding::text as embedding from crm.document_chunks o where o.document_id = import_chunks.document) o
      on o.position = n.position and o.content = n.content
    where n.position is null or o.position is null or n.embedding is not null and n.embedding is distinct from o.embedding)
  then
    return;
  end if;
  delete from crm.document_chunks c where c.document_id = import_chunks.document;
  insert into crm.document_chunks (account_id, document_id, position, content, title, metadata, category, language, embedding)
  select owner, d.id, (c->>'position')::int, c->>'content', d.title, d.metadata, d.category, d.language, (c->>'embedding')::@schema:vector@.vector
  from crm.documents d cross join jsonb_array_elements(chunks) c where d.id = import_chunks.document;
end
$$;
comment on function crm_internal.import_chunks(bigint, uuid, jsonb) is
  'internal: the passages of a document as they were exported';

create or replace function crm.import_documents(lines text, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  line text;
  number bigint := 0;
  imported bigint := 0;
  document jsonb;
begin
  foreach line in array string_to_array(lines, E'\n') loop
    number := number + 1;
    continue when line !~ E'\\S';
    begin
      document := line::jsonb;
    exception when invalid_text_representation or untranslatable_character then
      raise exception using errcode = sqlstate, message = format('line %s is not JSON', number),
        detail = left(line, 200);
    end;
    perform crm.import_document(document, account);
    imported := imported + 1;
  end loop;
  return imported;
end
$$;
comment on function crm.import_documents(text, uuid) is
  'take in several lines of export_documents() at once; returns how many. For a file of any size see import_document()';
