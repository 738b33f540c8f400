-- Handlers: endpoints whose receiver is a function of this database.

create table frontdesk_internal.handler (
  endpoint_id bigint primary key,
  owner frontdesk.role not null,
  function text not null,
  batch int not null check (batch between 1 and 1000),
  timeout_ms int not null check (timeout_ms between 100 and 3600000),
  login boolean not null default true,
  added_by name
);
comment on table frontdesk_internal.handler is 'what of an endpoint is a handler: the function that its events are given to; changed through add_handler(), alter_handler() ...';
comment on column frontdesk_internal.handler.endpoint_id is 'its endpoint, which has no URL';
comment on column frontdesk_internal.handler.owner is 'the role it runs as; a number where the role was dropped';
comment on column frontdesk_internal.handler.function is 'schema.name(type): it is looked up before it runs';
comment on column frontdesk_internal.handler.login is 'its owner could log in when it was added: once they may no longer, it does not run';
comment on column frontdesk_internal.handler.added_by is 'who added it for a role that they could become; null: the owner';
comment on column frontdesk_internal.handler.batch is 'so many events are given to it in one transaction';

-- No foreign key: a parallel restore of a dump brings these rows in any order.
select pg_catalog.pg_extension_config_dump('frontdesk_internal.handler', '');
