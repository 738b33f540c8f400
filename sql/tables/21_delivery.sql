-- What became of the events: attempts (append-only), what is to be tried again, what was given up, how far the log was read.

create sequence frontdesk_internal.attempt_id_seq;

create table frontdesk_internal.attempt (
  id bigint not null default nextval('frontdesk_internal.attempt_id_seq'),
  event_id bigint not null,
  endpoint_id bigint not null,
  attempt int not null,
  started_at timestamptz not null,
  duration_ms real not null,
  succeeded boolean not null,
  status smallint,
  error text,
  detail text,
  address inet,
  response text,
  response_headers jsonb,
  response_body bytea
) partition by list (succeeded);

comment on table frontdesk_internal.attempt is 'append-only log of requests made; successes kept for frontdesk.success_retention, failures for frontdesk.failure_retention';
comment on column frontdesk_internal.attempt.endpoint_id is '0: a direct request (http_post and friends)';
comment on column frontdesk_internal.attempt.error is 'what went wrong, as a word: dns, address_refused, connect, connect_timeout, tls, timeout, reset, protocol, status, payload ...';
comment on column frontdesk_internal.attempt.detail is 'what went wrong, as a sentence';
comment on column frontdesk_internal.attempt.response is 'the first 4 kB of the response as text';
comment on column frontdesk_internal.attempt.response_body is 'direct requests only: the response as it came, up to frontdesk.max_response_kb';

create table frontdesk_internal.attempt_success partition of frontdesk_internal.attempt for values in (true) partition by range (started_at);
create table frontdesk_internal.attempt_failure partition of frontdesk_internal.attempt for values in (false) partition by range (started_at);
create table frontdesk_internal.attempt_success_default partition of frontdesk_internal.attempt_success default;
create table frontdesk_internal.attempt_failure_default partition of frontdesk_internal.attempt_failure default;
create index attempt_event_id on frontdesk_internal.attempt (event_id);

create table frontdesk_internal.retry (
  event_id bigint not null,
  endpoint_id bigint not null,
  event_xid xid8 not null,
  event_at timestamptz not null,
  attempts int not null,
  due_at timestamptz not null,
  key text,
  reason text not null,
  primary key (event_id, endpoint_id)
);
comment on table frontdesk_internal.retry is 'deliveries that failed or wait: its size is the size of the trouble, not of the traffic';
comment on column frontdesk_internal.retry.due_at is 'infinity: waits for an earlier event of the same key (ordered endpoints)';
create index retry_due_at on frontdesk_internal.retry (due_at);
create index retry_endpoint_key on frontdesk_internal.retry (endpoint_id, key, event_id) where key is not null;

create table frontdesk_internal.dead_letter (
  event_id bigint not null,
  endpoint_id bigint not null,
  event_xid xid8 not null,
  event_at timestamptz not null,
  attempts int not null,
  reason text not null,
  died_at timestamptz not null,
  primary key (event_id, endpoint_id)
);
comment on table frontdesk_internal.dead_letter is 'deliveries given up after the last retry; replay() sends them again, discard() forgets them';

create table frontdesk_internal.cursor (
  endpoint_id bigint primary key,
  last_snapshot pg_snapshot not null,
  current_snapshot pg_snapshot,
  xid xid8 not null,
  event_id bigint not null,
  since timestamptz not null,
  updated_at timestamptz not null default now()
);
comment on table frontdesk_internal.cursor is 'how far the log was read: endpoint 0 is the engine; another row is an endpoint that is behind and catches up on its own';
comment on column frontdesk_internal.cursor.current_snapshot is 'the window being read is what this sees and last_snapshot did not; null: between windows';
comment on column frontdesk_internal.cursor.since is 'no unread event is older than this';

insert into frontdesk_internal.cursor (endpoint_id, last_snapshot, xid, event_id, since)
values (0, pg_current_snapshot(), '0', 0, '-infinity');
