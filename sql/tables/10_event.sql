-- The append-only log of what happened. Written by capture() and emit(), read by the engine, dropped by the day.

create sequence frontdesk_internal.event_id_seq;

create table frontdesk.event (
  id bigint not null,
  xid xid8 not null,
  created_at timestamptz not null,
  op "char" not null,
  depth smallint not null,
  type text not null,
  source text,
  key text,
  tenant uuid,
  target bigint,
  record jsonb,
  old_record jsonb,
  actor text not null,
  user_id text
) partition by range (created_at);

comment on table frontdesk.event is 'append-only log of events, partitioned by UTC day, kept for frontdesk.event_retention';
comment on column frontdesk.event.xid is 'transaction that wrote it: the log is read by snapshot window, not by id';
comment on column frontdesk.event.op is 'I insert, U update, D delete, T truncate, E emit(), H http request, S service (endpoint.failing, delivery.exhausted ...)';
comment on column frontdesk.event.depth is 'how many of our own automations led to it; past 8 it is recorded and not routed';
comment on column frontdesk.event.key is 'the row''s key as text; a JSON array when the key has several columns';
comment on column frontdesk.event.target is 'the only endpoint it goes to (test_endpoint, send_webhook_with_retry); null: to all that match';
comment on column frontdesk.event.record is 'the row after the change (before it, for a delete), or what emit() was given';
comment on column frontdesk.event.old_record is 'the row before an update';
comment on column frontdesk.event.actor is 'session user';
comment on column frontdesk.event.user_id is 'setting frontdesk.user_id at the time: the application''s user';

-- The engine reads by (xid, id); people look up by id, which follows the physical order, so a BRIN index is enough
-- and costs the user's transaction next to nothing.
create index event_xid_id on frontdesk.event (xid, id);
create index event_id on frontdesk.event using brin (id) with (pages_per_range = 16);

create table frontdesk_internal.event_default partition of frontdesk.event default;
