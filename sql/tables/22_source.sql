-- Where webhooks come in from, and what came.

create table frontdesk_internal.source (
  id bigint generated always as identity primary key,
  name text not null unique,
  scheme text not null,
  public_url text,
  id_path text,
  type_path text,
  keep interval not null,
  tolerance interval not null,
  tenant uuid,
  active boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table frontdesk_internal.source is 'who sends webhooks here, and how it is known that they do';
comment on column frontdesk_internal.source.public_url is 'the URL that the sender calls, without its query: Twilio signs it, and a proxy hides it';
comment on column frontdesk_internal.source.keep is 'how long bodies and headers are kept; after that only their fingerprints are';

create table frontdesk_internal.source_secret (
  id bigint generated always as identity primary key,
  source_id bigint not null,
  -- What a sender proves itself with, or what Meta asks by (its verify token).
  is_verify_token boolean not null default false,
  secret bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
comment on table frontdesk_internal.source_secret is 'sealed as the secrets of endpoints are';
comment on column frontdesk_internal.source_secret.expires_at is 'a rotated secret counts beside the new one until then';
-- No foreign key: a parallel restore of a dump brings these rows in any order.
create index source_secret_source_id on frontdesk_internal.source_secret (source_id);

create table frontdesk_internal.receipt (
  id bigint generated always as identity primary key,
  source_id bigint not null,
  key text not null,
  status smallint not null,
  received_at timestamptz not null default clock_timestamp(),
  type text,
  event_id bigint,
  repeats bigint not null default 0,
  repeated_at timestamptz,
  reason text,
  query text,
  headers jsonb,
  body bytea,
  body_hash bytea,
  constraint receipt_source_id_key unique (source_id, key)
) with (fillfactor = 85);
comment on table frontdesk_internal.receipt is 'one row for each delivery that came in, however often it came; one for each hour and status of what was refused';
comment on column frontdesk_internal.receipt.key is 'id: and the sender''s id of the delivery, no: and a number where there is none, refused: and hour and status';
comment on column frontdesk_internal.receipt.body_hash is 'SHA-256 of the body';
create index receipt_received_at on frontdesk_internal.receipt (received_at) where body is not null or headers is not null;
create index receipt_event_id on frontdesk_internal.receipt (event_id) where event_id is not null;

create type frontdesk.webhook_answer as (status int, body text, content_type text, receipt bigint);
comment on type frontdesk.webhook_answer is 'what whoever holds the socket of an incoming webhook answers: HTTP status, body, its content type; and the receipt';

select pg_catalog.pg_extension_config_dump('frontdesk_internal.source', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.source_secret', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.receipt', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.source_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.source_secret_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.receipt_id_seq', '');
