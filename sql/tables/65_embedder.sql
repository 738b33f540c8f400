-- Embedders, the columns that are embedded by them, and what they would not take.

create table frontdesk_internal.embedder (
  id bigint generated always as identity primary key,
  name text not null unique,
  url text not null,
  model text not null,
  dimensions int not null check (dimensions between 1 and 16000),
  send_dimensions boolean not null,
  encoding text not null,
  headers jsonb not null,
  batch_size int not null,
  batch_chars int not null,
  max_in_flight int not null,
  requests_per_minute numeric,
  timeout_ms int not null,
  active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table frontdesk_internal.embedder is 'services that turn texts into vectors; changed through add_embedder(), alter_embedder() ...';
comment on column frontdesk_internal.embedder.send_dimensions is 'whether the requests ask for so many dimensions; a model of fixed size refuses that';
comment on column frontdesk_internal.embedder.encoding is 'how vectors are asked for: float (a JSON array), or base64 (a quarter of the bytes, where the service has it)';
comment on column frontdesk_internal.embedder.batch_size is 'texts in a request';
comment on column frontdesk_internal.embedder.batch_chars is 'characters in a request; a longer text is marked as failed';
comment on column frontdesk_internal.embedder.headers is 'headers that are no secret';

create table frontdesk_internal.embedder_secret (
  embedder_id bigint not null,
  header text not null,
  secret bytea not null,
  primary key (embedder_id, header)
);
comment on table frontdesk_internal.embedder_secret is 'credential headers, sealed with the key of frontdesk.secret_key_file when there is one';

-- Apart from the embedder, because it is written with every request; and left out of dumps, because it is about this server.
create table frontdesk_internal.embedder_state (
  embedder_id bigint primary key references frontdesk_internal.embedder on delete cascade,
  requests bigint not null default 0,
  tokens bigint not null default 0,
  embedded bigint not null default 0,
  reused bigint not null default 0,
  failures int not null default 0,
  failing_since timestamptz,
  last_error text,
  last_error_at timestamptz,
  last_success_at timestamptz,
  next_try_at timestamptz,
  next_slot timestamptz
) with (fillfactor = 50);
comment on table frontdesk_internal.embedder_state is 'what an embedder did, and whether it answers';
comment on column frontdesk_internal.embedder_state.failures is 'tries that failed since the last that succeeded';
comment on column frontdesk_internal.embedder_state.next_slot is 'when requests_per_minute allows the next request';

create table frontdesk_internal.embed_source (
  id bigint generated always as identity primary key,
  source frontdesk.relation not null,
  source_name text not null,
  content_column name not null,
  embedding_column name not null,
  embedder_id bigint not null,
  condition text not null,
  owner frontdesk.role not null,
  job_id bigint,
  forget boolean not null default false,
  pending bigint,
  failed bigint,
  counted_at timestamptz,
  created_at timestamptz not null default now(),
  unique (source, embedding_column, embedder_id)
);
comment on table frontdesk_internal.embed_source is 'embed_table(): which column of which table is embedded into which other, and by whom';
comment on column frontdesk_internal.embed_source.condition is 'SQL: of the rows that this embedder embeds';
comment on column frontdesk_internal.embed_source.owner is 'as whom the rows are read and written, and the condition is evaluated: the owner of the table';
comment on column frontdesk_internal.embed_source.forget is 'embed_again() asks the job to make all vectors anew';
comment on column frontdesk_internal.embed_source.pending is 'rows that waited, as the job counted them last: nobody else evaluates the condition';

create table frontdesk_internal.embed_failure (
  source_id bigint not null,
  content_hash bigint not null,
  reason text not null,
  failed_at timestamptz not null default clock_timestamp(),
  primary key (source_id, content_hash)
);
comment on table frontdesk_internal.embed_failure is
  'contents that the embedder refuses, whatever they are sent with, by their hash: a row is tried again when its content changes, or after retry_embedding()';

-- Without a log: after a crash of the server the queries are embedded again.
create unlogged table frontdesk_internal.embedding_cache (
  embedder_id bigint not null,
  model text not null,
  content_hash bytea not null,
  embedding bytea not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (embedder_id, model, content_hash)
);
comment on table frontdesk_internal.embedding_cache is 'the vectors of embed(): of queries, at most 10000';
create index embedding_cache_created on frontdesk_internal.embedding_cache (created_at);

create table frontdesk_internal.embed_query (
  embedder_id bigint not null,
  tokens bigint not null,
  at timestamptz not null default clock_timestamp()
);
comment on table frontdesk_internal.embed_query is
  'requests of embed() that are not yet counted in embedder_state: a count there would make transactions wait for each other';

select pg_catalog.pg_extension_config_dump('frontdesk_internal.embedder', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.embedder_secret', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.embedder_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.embed_source', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.embed_source_id_seq', '');
