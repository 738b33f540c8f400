-- What belongs to a row goes with it. By triggers, and not by foreign keys: a dump has both tables, and a parallel restore loads
-- them in any order.

create or replace function frontdesk_internal.cascade() returns trigger
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
begin
  case tg_relid
    when 'frontdesk_internal.endpoint'::regclass then
      delete from frontdesk_internal.endpoint_secret s where s.endpoint_id = old.id;
      delete from frontdesk_internal.endpoint_client_key k where k.endpoint_id = old.id;
    when 'frontdesk_internal.job'::regclass then
      delete from frontdesk_internal.score_follower f where f.job_id = old.id;
    when 'frontdesk_internal.embedder'::regclass then
      delete from frontdesk_internal.embedder_secret s where s.embedder_id = old.id;
    when 'frontdesk_internal.embed_source'::regclass then
      delete from frontdesk_internal.embed_failure f where f.source_id = old.id;
    when 'frontdesk.score_model'::regclass then
      if tg_op = 'DELETE' then
        delete from frontdesk.score_rule r where (r.tenant, r.model) = (old.tenant, old.name);
      else
        update frontdesk.score_rule r set tenant = new.tenant, model = new.name where (r.tenant, r.model) = (old.tenant, old.name);
      end if;
  end case;
  return null;
end
$$;
comment on function frontdesk_internal.cascade() is 'trigger: what belongs to a row is deleted with it';

create or replace trigger cascade after delete on frontdesk_internal.endpoint for each row execute function frontdesk_internal.cascade();
create or replace trigger cascade after delete on frontdesk_internal.job for each row execute function frontdesk_internal.cascade();
create or replace trigger cascade after delete on frontdesk_internal.embedder for each row execute function frontdesk_internal.cascade();
create or replace trigger cascade after delete on frontdesk_internal.embed_source for each row execute function frontdesk_internal.cascade();
create or replace trigger cascade after delete on frontdesk.score_model for each row execute function frontdesk_internal.cascade();
create or replace trigger cascade_update after update of tenant, name on frontdesk.score_model for each row
  when ((old.tenant, old.name) is distinct from (new.tenant, new.name)) execute function frontdesk_internal.cascade();
