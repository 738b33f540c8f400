-- Room 20, endpoint: secrets, and what receivers verify with.

create or replace function frontdesk.rotate_secret(name text, new_secret text = null, overlap interval = '24 hours') returns text
language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk_internal.endpoint_id(name);
begin
  perform frontdesk_internal.check_has_url(e) from frontdesk_internal.endpoint e where e.id = this;
  if overlap is null or overlap < '0' or overlap > '90 days' then
    raise exception using errcode = 'invalid_parameter_value',
      message = format('overlap %s is out of range', coalesce(overlap::text, 'null')),
      hint = '0 to 90 days.';
  end if;
  new_secret := frontdesk.check_secret(coalesce(new_secret, frontdesk.new_secret()));
  delete from frontdesk_internal.endpoint_secret s
  where s.endpoint_id = this and s.header is null and s.expires_at <= clock_timestamp();
  update frontdesk_internal.endpoint_secret s set expires_at = least(s.expires_at, clock_timestamp() + overlap)
  where s.endpoint_id = this and s.header is null;
  insert into frontdesk_internal.endpoint_secret (endpoint_id, secret) values (this, frontdesk_internal.seal(new_secret));
  return new_secret;
end
$$;
comment on function frontdesk.rotate_secret is
  'sign with a new secret, and with the old ones beside it until the overlap is over; returns the new one, which is '
  'shown only now. With signature sha256, which has room for one, the first attempt is signed with the new secret and '
  'the next ones with the others in turn; a header of the same name and -All has all signatures';

create or replace function frontdesk.public_key(name text) returns text
stable language plpgsql security definer set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  this bigint := frontdesk_internal.endpoint_id(name);
  result text := (select frontdesk_internal.sealed_public_key(s.secret) from frontdesk_internal.endpoint_secret s
    where s.endpoint_id = this and s.header is null and (s.expires_at is null or s.expires_at > clock_timestamp())
    order by s.id desc limit 1);
begin
  if result is null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = format('endpoint "%s" has no public key', name),
      detail = 'It signs with a secret that it shares with its receiver, or not at all.',
      hint = format('select frontdesk.rotate_secret(%L, frontdesk.new_signing_key());', name);
  end if;
  return result;
end
$$;
comment on function frontdesk.public_key is
  'whpk_<base64>: what the receiver of an endpoint that signs with an ed25519 key (whsk_...) verifies with: the '
  'signatures v1a of webhook-signature';
