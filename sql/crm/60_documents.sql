-- Room 60, documents: what the business knows, its passages, and the vectors they are found by.
--
-- A document has a vector of its own (documents.embedding, given by the application) or passages (document_chunks,
-- embedded by the engine), never both: whoever embeds by itself writes the first, frontdesk.embed_table() works on the
-- second. documents.embedding has the dimensions of the installation (see set_document_dimensions), chunks those of
-- their account (crm.knowledge_settings).

create table if not exists crm.knowledge_settings (
  account_id uuid primary key references crm.accounts on delete cascade,
  model text not null default 'text-embedding-3-small' check (model <> ''),
  dimensions int not null default 1536 check (dimensions between 1 and 4096),
  chunk_size int not null default 1000 check (chunk_size between 50 and 100000),
  chunk_overlap int not null default 100 check (chunk_overlap >= 0),
  updated_at timestamptz not null default clock_timestamp(),
  check (chunk_overlap < chunk_size));
comment on table crm.knowledge_settings is 'how the documents of an account are cut and embedded; change it with crm.configure_knowledge()';
comment on column crm.knowledge_settings.model is 'the embedding model whose vectors are stored: those of two models cannot be compared';
comment on column crm.knowledge_settings.dimensions is 'of every vector of the account; an index of more than 2000 holds half precision';
comment on column crm.knowledge_settings.chunk_size is 'characters of a passage at most';
comment on column crm.knowledge_settings.chunk_overlap is 'characters that a passage repeats of the one before at most';
create or replace trigger touch before update on crm.knowledge_settings for each row execute function crm.touch();

create table if not exists crm.document_categories (
  account_id uuid not null references crm.accounts on delete cascade,
  name varchar(50) not null check (name <> ''),
  description text not null default '',
  primary key (account_id, name));
comment on table crm.document_categories is 'what documents of an account are about';

create table if not exists crm.document_sources (
  name varchar(50) primary key,
  description text not null);
comment on table crm.document_sources is 'where a document came from';
insert into crm.document_sources values
  ('pdf', 'a PDF file'), ('webpage', 'a page of a web site'), ('manual', 'written by hand'), ('api', 'another system')
on conflict do nothing;

create table if not exists crm.documents (
  id bigint generated always as identity primary key,
  account_id uuid not null default crm.use_account() references crm.accounts on delete cascade,
  content text not null check (content ~ '\S'),
  title varchar(500),
  embedding @schema:vector@.vector(1536),
  metadata jsonb not null default '{}',
  category varchar(50),
  source_type varchar(50) references crm.document_sources,
  source_url varchar(1000),
  source_file_name varchar(255),
  language text not null check (language ~ '^[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'),
  version int not null default 1 check (version > 0),
  is_active boolean not null default true,
  superseded_by bigint unique,
  content_hash bytea not null,
  words tsvector not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  foreign key (account_id, category) references crm.document_categories on update cascade,
  constraint documents_metadata_object check (jsonb_typeof(metadata) = 'object'),
  constraint documents_superseded_inactive check (superseded_by is null or not is_active),
  -- The cosine of a vector without a direction is no number, and its row would never be found.
  constraint documents_embedding_direction check (embedding is null or @schema:vector@.vector_norm(embedding) > 0));
comment on table crm.documents is
  'what the business knows: policies, products, answers. Replaced versions are kept with is_active = false and not searched. Write with crm.add_document(), or plainly';
comment on column crm.documents.embedding is 'the vector of the whole content, where the application made one; otherwise the document has passages in crm.document_chunks';
comment on column crm.documents.language is 'of the content, as in BCP 47; not said: the account''s';
comment on column crm.documents.superseded_by is 'the next version';
comment on column crm.documents.content_hash is 'SHA-256 of the content';
comment on column crm.documents.words is 'for text search, of title and content in their language';

create index if not exists documents_account_idx on crm.documents (account_id, is_active);
create index if not exists documents_category_idx on crm.documents (category);
create index if not exists documents_metadata_idx on crm.documents using gin (metadata);
create index if not exists documents_hash_idx on crm.documents (account_id, content_hash);
create index if not exists documents_created_idx on crm.documents (created_at desc);
create index if not exists documents_words_idx on crm.documents using gin (words);
-- The last, as with crm.leads.
create unique index if not exists documents_account_id_id_key on crm.documents (account_id, id);
do $$
begin
  if not exists (select from pg_constraint where conrelid = 'crm.documents'::regclass and conname = 'documents_superseded_fkey') then
    alter table crm.documents add constraint documents_superseded_fkey
      foreign key (account_id, superseded_by) references crm.documents (account_id, id) deferrable initially deferred;
  end if;
end
$$;

create table if not exists crm.document_chunks (
  id bigint generated always as identity primary key,
  account_id uuid not null,
  document_id bigint not null,
  position int not null check (position > 0),
  content text not null,
  title varchar(500),
  metadata jsonb not null default '{}',
  category varchar(50),
  language text not null,
  embedding @schema:vector@.vector,
  dimensions int generated always as (@schema:vector@.vector_dims(embedding)) stored,
  content_hash bytea not null,
  words tsvector not null,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  unique (document_id, position),
  foreign key (account_id, document_id) references crm.documents (account_id, id) on delete cascade,
  constraint document_chunks_embedding_direction check (embedding is null or @schema:vector@.vector_norm(embedding) > 0));
comment on table crm.document_chunks is
  'the passages of documents without a vector of their own: cut by the account''s settings, embedded by the engine. Title, category and metadata are the document''s';
comment on column crm.document_chunks.position is 'from 1, in the order of the content';
comment on column crm.document_chunks.dimensions is 'of the embedding';
comment on column crm.document_chunks.content_hash is 'SHA-256 of the content';

create index if not exists document_chunks_account_idx on crm.document_chunks (account_id, document_id);
create index if not exists document_chunks_category_idx on crm.document_chunks (category);
create index if not exists document_chunks_metadata_idx on crm.document_chunks using gin (metadata);
create index if not exists document_chunks_hash_idx on crm.document_chunks (content_hash);
create index if not exists document_chunks_words_idx on crm.document_chunks using gin (words);
-- Those that wait for the engine, and few of the others.
create index if not exists document_chunks_missing_idx on crm.document_chunks (id) where embedding is null;

create or replace function crm.text_search_config(language text) returns regconfig
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  select case split_part(lower(translate(language, '_', '-')), '-', 1)
    when 'ar' then 'arabic' when 'ca' then 'catalan' when 'da' then 'danish' when 'de' then 'german' when 'el' then 'greek'
    when 'en' then 'english' when 'es' then 'spanish' when 'eu' then 'basque' when 'fi' then 'finnish' when 'fr' then 'french'
    when 'ga' then 'irish' when 'hi' then 'hindi' when 'hu' then 'hungarian' when 'hy' then 'armenian' when 'id' then 'indonesian'
    when 'it' then 'italian' when 'lt' then 'lithuanian' when 'ne' then 'nepali' when 'nl' then 'dutch' when 'no' then 'norwegian'
    when 'nb' then 'norwegian' when 'nn' then 'norwegian' when 'pt' then 'portuguese' when 'ro' then 'romanian' when 'ru' then 'russian'
    when 'sr' then 'serbian' when 'sv' then 'swedish' when 'ta' then 'tamil' when 'tr' then 'turkish' when 'yi' then 'yiddish'
    else 'simple' end::regconfig
$$;
comment on function crm.text_search_config(text) is 'the text search configuration of a language (BCP 47); simple where PostgreSQL has none';

create or replace function crm.document_words(language text, title text, content text) returns tsvector
immutable parallel safe language sql set search_path = pg_catalog, pg_temp as $$
  -- A tsvector has a limit of 1 MB; what is longer than this is found by its beginning, and by its passages.
  select setweight(to_tsvector(crm.text_search_config(language), coalesce(title, '')), 'A')
      || setweight(to_tsvector(crm.text_search_config(language), left(content, 100000)), 'B')
$$;
comment on function crm.document_words(text, text, text) is 'what text search finds a document or a passage by';

create or replace function crm.seed_knowledge() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if tg_relid <> 'crm.accounts'::regclass or tg_level <> 'ROW' or tg_when <> 'AFTER' then
    raise exception using errcode = 'trigger_protocol_violated', message = 'crm.seed_knowledge() is the trigger of crm.accounts';
  end if;
  insert into crm.knowledge_settings (account_id) values (new.id) on conflict do nothing;
  insert into crm.document_categories (account_id, name, description)
  select new.id, c.name, c.description from (values
    ('policy', 'company policies, terms'), ('product', 'product information'), ('faq', 'common questions'),
    ('procedure', 'internal processes'), ('vacancy', 'job listings'), ('general', 'miscellaneous')) c (name, description)
  on conflict do nothing;
  return null;
end
$$;
comment on function crm.seed_knowledge() is
  'trigger: a new account has settings and the usual categories. With the owner''s rights, as whoever makes an account is no member of it yet';
create or replace trigger seed_knowledge after insert on crm.accounts for each row execute function crm.seed_knowledge();

insert into crm.knowledge_settings (account_id) select a.id from crm.accounts a on conflict do nothing;
insert into crm.document_categories (account_id, name, description)
select a.id, c.name, c.description from crm.accounts a, (values
  ('policy', 'company policies, terms'), ('product', 'product information'), ('faq', 'common questions'),
  ('procedure', 'internal processes'), ('vacancy', 'job listings'), ('general', 'miscellaneous')) c (name, description)
where not exists (select from crm.document_categories d where d.account_id = a.id)
on conflict do nothing;

create or replace function crm.check_dimensions(account uuid, embedding @schema:vector@.vector, source text) returns void
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted int := (select s.dimensions from crm.knowledge_settings s where s.account_id = account);
begin
  if @schema:vector@.vector_dims(embedding) <> wanted then
    raise exception using errcode = 'data_exception',
      message = format('%s expects vectors of %s dimensions for this account, not %s', source, wanted, @schema:vector@.vector_dims(embedding)),
      detail = format('Account %s.', account),
      hint = 'crm.configure_knowledge() changes model and dimensions of an account.';
  elsif @schema:vector@.vector_norm(embedding) = 0 then
    raise exception using errcode = 'data_exception', message = format('a vector for %s has no direction: all its numbers are 0', source),
      hint = 'Its row would never be found. An embedding that is not known is null.';
  end if;
end
$$;
comment on function crm.check_dimensions(uuid, @schema:vector@.vector, text) is 'internal: an error unless a vector has the dimensions of its account';

create or replace function crm.prepare_document() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.content is null or new.content !~ '\S' then
    raise exception using errcode = 'not_null_violation', message = 'a document needs content';
  end if;
  new.metadata := coalesce(new.metadata, '{}');
  new.is_active := coalesce(new.is_active, true);
  new.version := coalesce(new.version, 1);
  if jsonb_typeof(new.metadata) <> 'object' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('metadata of a document is a JSON object, not %s', case jsonb_typeof(new.metadata) when 'array' then 'an array' else 'a ' || jsonb_typeof(new.metadata) end),
      hint = 'Such as {"source": "handbook.pdf", "page": 15}.';
  end if;
  if new.category is not null and not exists (
    select from crm.document_categories c where c.account_id = new.account_id and c.name = new.category) then
    raise exception using errcode = 'foreign_key_violation',
      message = format('there is no category "%s"', new.category),
      detail = (select 'Known are: ' || string_agg(c.name, ', ' order by c.name) || '.' from crm.document_categories c where c.account_id = new.account_id),
      hint = 'insert into crm.document_categories ...';
  end if;
  new.language := coalesce(new.language, (select a.locale from crm.accounts a where a.id = new.account_id), 'en');
  if tg_op = 'INSERT' or (new.content, new.title, new.language) is distinct from (old.content, old.title, old.language) then
    new.content_hash := sha256(convert_to(new.content, 'UTF8'));
    new.words := crm.document_words(new.language, new.title, new.content);
  end if;
  if new.embedding is not null then
    if tg_op = 'INSERT' or old.embedding is null then
      perform crm.check_dimensions(new.account_id, new.embedding, 'crm.documents');
    elsif new.content <> old.content and new.embedding operator(@schema:vector@.=) old.embedding then
      -- The vector is of the text as it was.
      new.embedding := null;
    else
      perform crm.check_dimensions(new.account_id, new.embedding, 'crm.documents');
    end if;
  end if;
  if tg_op = 'UPDATE' then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function crm.prepare_document() is 'trigger: language, content hash and words of a document; a vector of an earlier content is taken out';
create or replace trigger prepare_document before insert or update on crm.documents
  for each row execute function crm.prepare_document();

create or replace function crm.prepare_chunk() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if tg_op = 'INSERT' or (new.content, new.title, new.language) is distinct from (old.content, old.title, old.language) then
    new.content_hash := sha256(convert_to(new.content, 'UTF8'));
    new.words := crm.document_words(new.language, new.title, new.content);
  end if;
  if new.embedding is not null then
    perform crm.check_dimensions(new.account_id, new.embedding, 'crm.document_chunks');
  end if;
  if tg_op = 'UPDATE' then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function crm.prepare_chunk() is 'trigger: content hash and words of a passage; its vector has the dimensions of its account';
create or replace trigger prepare_chunk before insert or update on crm.document_chunks
  for each row execute function crm.prepare_chunk();

create or replace function crm.chunk_document() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  wanted boolean := new.is_active and new.embedding is null;
begin
  if tg_op = 'UPDATE' then
    if wanted and old.is_active and old.content = new.content
       and exists (select from crm.document_chunks c where c.document_id = new.id) then
      update crm.document_chunks c set title = new.title, metadata = new.metadata, category = new.category, language = new.language
      where c.document_id = new.id
        and (c.title, c.metadata, c.category, c.language) is distinct from (new.title, new.metadata, new.category, new.language);
      return null;
    end if;
  end if;
  -- A passage that is there again keeps its vector.
  with gone as (
    delete from crm.document_chunks c where tg_op = 'UPDATE' and c.document_id = new.id returning c.content_hash, c.embedding
  ), kept as materialized (
    select g.content_hash, (array_agg(g.embedding))[1] as embedding from gone g where g.embedding is not null group by 1
  ), counted as materialized (
    -- All of them are gone before the first new one comes.
    select count(*) from gone
  )
  insert into crm.document_chunks (account_id, document_id, position, content, title, metadata, category, language, embedding)
  select new.account_id, new.id, p.position, p.content, new.title, new.metadata, new.category, new.language, k.embedding
  from counted
  left join crm.knowledge_settings s on s.account_id = new.account_id
  cross join lateral frontdesk.split_text(new.content, coalesce(s.chunk_size, 1000), coalesce(s.chunk_overlap, 100))
    with ordinality p (content, position)
  left join kept k on k.content_hash = sha256(convert_to(p.content, 'UTF8'))
  where wanted;
  return null;
end
$$;
comment on function crm.chunk_document() is
  'trigger: an active document without a vector of its own has passages, every other one has none';
create or replace trigger chunk_document after insert or update on crm.documents
  for each row execute function crm.chunk_document();

select crm.protect('crm.knowledge_settings');
select crm.protect('crm.document_categories');
select crm.protect_from_writing('crm.document_sources', null);
select crm.protect('crm.documents');
select crm.protect('crm.document_chunks');
