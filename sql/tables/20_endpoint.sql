-- Where events go.

create table frontdesk_internal.endpoint (
  id bigint generated always as identity primary key,
  name text not null unique,
  url text,
  events text[] not null,
  headers jsonb not null default '{}',
  credentials text[] not null default '{}',
  filter jsonb,
  payload text not null,
  signature text not null,
  retry jsonb,
  timeout_ms int not null check (timeout_ms between 100 and 120000),
  max_in_flight int not null check (max_in_flight between 1 and 20000),
  rate_per_second numeric check (rate_per_second > 0),
  ordered boolean not null,
  tenant uuid,
  state text not null default 'active' check (state in ('active', 'paused', 'disabled')),
  state_reason text,
  state_changed_at timestamptz not null default now(),
  failing_since timestamptz,
  failures int not null default 0,
  open_until timestamptz,
  problem text,
  home uuid default frontdesk_internal.installation_id(),
  created_at timestamptz not null default now(),
  created_snapshot pg_snapshot not null default pg_current_snapshot(),
  updated_at timestamptz not null default now(),
  tls jsonb,
  http text not null default 'auto' check (http in ('auto', '1.1', '2'))
);
comment on table frontdesk_internal.endpoint is 'where events are delivered; changed through add_endpoint(), alter_endpoint(), pause_endpoint() ...';
comment on column frontdesk_internal.endpoint.url is 'null: it is a handler, whose function is in frontdesk_internal.handler';
comment on column frontdesk_internal.endpoint.headers is 'headers that are no secret; those that look like credentials are kept in endpoint_secret';
comment on column frontdesk_internal.endpoint.credentials is 'the names of the credential headers: without the value of each of them nothing is sent';
comment on column frontdesk_internal.endpoint.problem is 'why nothing is sent to it although it is active; its events wait';
comment on column frontdesk_internal.endpoint.home is 'the installation that it was added to: one that came with a dump, or a part of one, gets nothing before adopt()';
comment on column frontdesk_internal.endpoint.state is 'active; paused by someone; disabled by the engine (410 Gone, or failing for five days)';
comment on column frontdesk_internal.endpoint.failing_since is 'first failure of the present series; null while deliveries succeed';
comment on column frontdesk_internal.endpoint.open_until is 'the circuit breaker is open until then: nothing is sent but a probe after it';
comment on column frontdesk_internal.endpoint.created_snapshot is 'events committed before this are not for this endpoint';
comment on column frontdesk_internal.endpoint.tls is 'its authorities, the pins of its key, and our certificate for it; the key of that is in endpoint_client_key';
comment on column frontdesk_internal.endpoint.http is 'the version of HTTP: auto, 1.1 or 2';

create table frontdesk_internal.endpoint_secret (
  id bigint generated always as identity primary key,
  endpoint_id bigint not null,
  header text,
  secret bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz
);
comment on table frontdesk_internal.endpoint_secret is 'signing secrets and credential headers, sealed with the key of frontdesk.secret_key_file when there is one';
comment on column frontdesk_internal.endpoint_secret.header is 'null: a signing secret; else the name of the header whose value this is';
comment on column frontdesk_internal.endpoint_secret.expires_at is 'a rotated secret signs beside the new one until then';
-- No foreign key: a parallel restore of a dump brings these rows in any order.
create index endpoint_secret_endpoint_id on frontdesk_internal.endpoint_secret (endpoint_id);

create table frontdesk_internal.endpoint_client_key (
  endpoint_id bigint primary key,
  secret bytea not null
);
comment on table frontdesk_internal.endpoint_client_key is 'the keys of the client certificates, sealed as the secrets of endpoints are';

select pg_catalog.pg_extension_config_dump('frontdesk_internal.endpoint', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.endpoint_client_key', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.endpoint_secret', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.endpoint_id_seq', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.endpoint_secret_id_seq', '');
