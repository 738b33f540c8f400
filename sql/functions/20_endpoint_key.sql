-- Room 20, endpoint: what receivers verify with.

create or replace function frontdesk.public_key(name text) returns text
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk.endpoint_id(name);
  result text := (select frontdesk_internal.sealed_public_key(s.secret) from frontdesk.endpoint_secret s
    where s.endpoint_id = this and s.header is null and (s.expires_at is null or s.expires_at > clock_timestamp())
    order by s.id desc limit 1);
begin
  if result is null then
    raise exception using errcode = 'object_not_in_prerequisite_state', message = format('endpoint "%s" has no public key', name),
      detail = 'It signs with a secret that it shares with its receiver, or not at all.',
      hint = format('select frontdesk.rotate_secret(%L, frontdesk.new_signing_key());', name);
  end if;
  return result;
end
$$;
comment on function frontdesk.public_key(text) is
  'whpk_<base64>: what the receiver of an endpoint that signs with an ed25519 key (whsk_...) verifies with: the signatures v1a of webhook-signature';
