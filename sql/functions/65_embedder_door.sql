-- Room 65, embedder: the doors to the declarations. Nobody has a right on the tables; owners of tables read theirs through views.

create or replace view frontdesk_internal.embed_own with (security_barrier) as
select s.* from frontdesk_internal.embed_source s where pg_has_role(s.owner::oid, 'usage');
comment on view frontdesk_internal.embed_own is 'internal: the declarations of embed_table() of the roles that you are';

create or replace view frontdesk_internal.embed_refused with (security_barrier) as
select f.* from frontdesk_internal.embed_failure f join frontdesk_internal.embed_source s on s.id = f.source_id where pg_has_role(s.owner::oid, 'usage');
comment on view frontdesk_internal.embed_refused is
  'internal: contents of your tables that the embedder refuses, by their hash; see embed_failures()';

create or replace function frontdesk_internal.embed_known(source_id bigint) returns frontdesk_internal.embed_source
stable language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source;
begin
  select * into s from frontdesk_internal.embed_source o where o.id = source_id;
  if not coalesce(frontdesk_internal.caller_has(s.owner), false) then
    raise exception using errcode = 'insufficient_privilege',
      message = format('you own no declaration %s', coalesce(source_id::text, 'null'));
  end if;
  return s;
end
$$;
comment on function frontdesk_internal.embed_known(bigint) is 'internal: a declaration of the caller''s, or an error';

create or replace function frontdesk_internal.embed_declare(source regclass, content_column name, embedding_column name, embedder bigint, condition text) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.embed_declare is
  'internal: the declaration, triggers and job of embed_table(); with the right to call that';
create or replace function frontdesk_internal.embed_declare_inner(source regclass, content_column name, embedding_column name, embedder bigint, condition text) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
#variable_conflict use_variable
declare
  s frontdesk_internal.embed_source;
  owner regrole := (select c.relowner from pg_class c where c.oid = source);
  named text := (select concat_ws('.', quote_ident(nullif(n.nspname, 'public')), quote_ident(c.relname))
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = source);
  label text;
begin
  if not has_function_privilege(frontdesk_internal.caller(), 'frontdesk.embed_table(regclass,name,name,text,text)', 'execute') then
    raise exception using errcode = 'insufficient_privilege', message = 'permission denied for function embed_table';
  end if;
  perform frontdesk_internal.check_own_table(source);
  perform frontdesk_internal.embed_column(source, content_column, 'content_column', 'text');
  perform frontdesk_internal.embed_column(source, embedding_column, 'embedding_column', 'vector');
  execute format('create or replace trigger %I before update on %s for each row
    when (old.%3$I is distinct from new.%3$I and old.%4$I operator(@extschema:vector@.=) new.%4$I) execute function frontdesk_internal.embed_reset(%4$L)',
    'frontdesk_embed_reset_' || left(embedding_column, 40), source, content_column, embedding_column);
  execute format('create or replace trigger %I after insert on %s for each statement execute function frontdesk_internal.embed_wake(%L)',
    'frontdesk_embed_insert_' || left(embedding_column, 39), source, embedding_column);
  execute format('create or replace trigger %I after update on %s for each row
    when (new.%3$I is null and (old.%3$I is not null or old.%4$I is distinct from new.%4$I)) execute function frontdesk_internal.embed_wake(%3$L)',
    'frontdesk_embed_update_' || left(embedding_column, 39), source, embedding_column, content_column);
  insert into frontdesk_internal.embed_source as o (source, source_name, content_column, embedding_column, embedder_id, condition, owner)
  values (source, named, content_column, embedding_column, embedder, condition, owner)
  on conflict on constraint embed_source_source_embedding_column_embedder_id_key do update
  set source_name = excluded.source_name, content_column = excluded.content_column, condition = excluded.condition, owner = excluded.owner
  returning o.* into s;
  label := format('embed %s.%s by %s', s.source_name, embedding_column, frontdesk_internal.embedder_name(embedder));
  -- Rows that no trigger saw (a replica, a load without triggers) are found by the hour.
  update frontdesk_internal.embed_source o set job_id = frontdesk.schedule(label, format('%s * * * *', s.id % 60), format('call frontdesk.embed_pending(%s)', s.id),
      username => (select r.rolname from pg_roles r where r.oid = s.owner), max_retries => 5, catch_up => 'one')
  where o.id = s.id;
  perform frontdesk_internal.embed_run(s.id);
  return s.id;
end
$$;
comment on function frontdesk_internal.embed_declare_inner(regclass, name, name, bigint, text) is 'internal: embed_declare()';

create or replace function frontdesk_internal.embed_remove(source_id bigint) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.embed_remove(bigint) is 'internal: a declaration of yours goes, with its job';
create or replace function frontdesk_internal.embed_remove_inner(source_id bigint) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_known(source_id);
begin
  delete from frontdesk_internal.embed_failure f where f.source_id = s.id;
  delete from frontdesk_internal.embed_source o where o.id = s.id;
  perform frontdesk.unschedule(j.id) from frontdesk_internal.job j join frontdesk_internal.job t on t.owner = j.owner and j.name in (t.name, t.name || ' (again)')
    where t.id = s.job_id;
end
$$;
comment on function frontdesk_internal.embed_remove_inner(bigint) is 'internal: embed_remove()';

create or replace function frontdesk_internal.embed_start(source_id bigint, forget boolean) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.embed_start is
  'internal: the job of a declaration of yours runs when this transaction commits; forget: it computes all vectors '
  'again';
create or replace function frontdesk_internal.embed_start_inner(source_id bigint, forget boolean) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_known(source_id);
begin
  update frontdesk_internal.embed_source o set forget = true where o.id = s.id and embed_start_inner.forget and not o.forget;
  perform frontdesk_internal.embed_run(s.id);
end
$$;
comment on function frontdesk_internal.embed_start_inner(bigint, boolean) is 'internal: embed_start()';

create or replace function frontdesk_internal.embed_refuse(source_id bigint, hashes bigint[], reason text) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.embed_refuse(bigint, bigint[], text) is 'job: these contents are not tried again';
create or replace function frontdesk_internal.embed_refuse_inner(source_id bigint, hashes bigint[], reason text) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_known(source_id);
begin
  insert into frontdesk_internal.embed_failure as f (source_id, content_hash, reason)
  select distinct s.id, h, left(coalesce(embed_refuse_inner.reason, ''), 2000) from unnest(hashes) h where h is not null
  on conflict on constraint embed_failure_pkey do update set reason = excluded.reason, failed_at = clock_timestamp();
end
$$;
comment on function frontdesk_internal.embed_refuse_inner(bigint, bigint[], text) is 'internal: embed_refuse()';

create or replace function frontdesk_internal.embed_forget(source_id bigint, hashes bigint[]) returns bigint
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.embed_forget is
  'internal: these contents, or all, may be tried again; how many those are';
create or replace function frontdesk_internal.embed_forget_inner(source_id bigint, hashes bigint[]) returns bigint
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_known(source_id);
  result bigint;
begin
  delete from frontdesk_internal.embed_failure f where f.source_id = s.id and (hashes is null or f.content_hash = any (hashes));
  get diagnostics result = row_count;
  update frontdesk_internal.embed_source o set forget = false where o.id = s.id and hashes is null and o.forget;
  return result;
end
$$;
comment on function frontdesk_internal.embed_forget_inner(bigint, bigint[]) is 'internal: embed_forget()';

create or replace function frontdesk_internal.embed_note(source_id bigint, pending bigint, failed bigint) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk_internal.embed_note(bigint, bigint, bigint) is 'job: how many rows wait, or were refused';
create or replace function frontdesk_internal.embed_note_inner(source_id bigint, pending bigint, failed bigint) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  s frontdesk_internal.embed_source := frontdesk_internal.embed_known(source_id);
begin
  update frontdesk_internal.embed_source o set pending = embed_note_inner.pending, failed = embed_note_inner.failed, counted_at = clock_timestamp() where o.id = s.id;
end
$$;
comment on function frontdesk_internal.embed_note_inner(bigint, bigint, bigint) is 'internal: embed_note()';
