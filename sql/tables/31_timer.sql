-- Timers: "emit this event so long before or after that column, if this still holds".

create table frontdesk_internal.timer_rule (
  id bigint generated always as identity primary key,
  name text not null unique,
  source frontdesk.relation not null,
  source_name text not null,
  at_column name not null,
  at_attnum smallint not null,
  key_columns name[] not null,
  key_attnums smallint[] not null,
  shift interval not null,
  timezone text not null,
  event text not null,
  condition jsonb,
  late text not null check (late in ('fire', 'skip')),
  expires interval check (expires > '0'),
  tenant_column name,
  payload text,
  filled_in text,
  problem text,
  created_at timestamptz not null default now()
);
comment on table frontdesk_internal.timer_rule is 'rules of remind(): which event is emitted how long after (or, negative, before) which column';
comment on column frontdesk_internal.timer_rule.timezone is 'of columns that have none, and of days and months in the offset';
comment on column frontdesk_internal.timer_rule.filled_in is 'the database whose rows have their timers: another one (a restored dump) makes them at its start';
comment on column frontdesk_internal.timer_rule.tenant_column is 'column whose value is the tenant of the event; null: as the table is watched';
comment on column frontdesk_internal.timer_rule.payload is 'signature of a function of a row that makes what the event carries; null: the row itself. As text, because pg_upgrade takes no regprocedure';
comment on column frontdesk_internal.timer_rule.problem is 'why it emits nothing any more';

create table frontdesk_internal.timer (
  rule_id bigint not null,
  key text not null,
  at timestamptz not null,
  due_at timestamptz not null,
  outcome text,
  done_at timestamptz,
  reason text,
  primary key (rule_id, key, at)
);
comment on table frontdesk_internal.timer is 'pending timers, one per rule and row, in step with the row; and those that are done, as long as the row is there, so that none fires twice';
comment on column frontdesk_internal.timer.at is 'the value of the column';
comment on column frontdesk_internal.timer.outcome is 'null: pending; fired, late, expired, broken';
comment on column frontdesk_internal.timer.reason is 'why it is broken';
create index timer_due on frontdesk_internal.timer (rule_id, due_at) where outcome is null;

-- Left out of dumps, because it is about this server.
create table frontdesk_internal.timer_state (
  rule_id bigint primary key,
  batch int check (batch > 0),
  retry_at timestamptz,
  failures int not null default 0,
  broken bigint not null default 0,
  trouble text
) with (fillfactor = 50);
comment on table frontdesk_internal.timer_state is 'rules whose reminders did not all go well: a batch that fails is tried again with half of its timers, down to one, which is then broken';
comment on column frontdesk_internal.timer_state.batch is 'how many timers are taken at once; null: as many as there are';
comment on column frontdesk_internal.timer_state.retry_at is 'when the rule is tried again';
comment on column frontdesk_internal.timer_state.failures is 'in a row';
comment on column frontdesk_internal.timer_state.broken is 'timers that will never fire, because what makes their event fails';
comment on column frontdesk_internal.timer_state.trouble is 'what is wrong at present';

select pg_catalog.pg_extension_config_dump('frontdesk_internal.timer_rule', '');
select pg_catalog.pg_extension_config_dump('frontdesk_internal.timer_rule_id_seq', '');
