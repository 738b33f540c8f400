-- Room 05, contact: ways to reach people, in one spelling each.

create or replace function frontdesk.normalize_email(email text, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_email_wrapper';
comment on function frontdesk.normalize_email is
  'the e-mail address in lower case, out of what people paste (spaces, mailto:, Ana <ana@example.com>); a domain in '
  'punycode is written in its letters, xn--kln-sna.de as köln.de. Null for nothing. What cannot be one is an error of '
  'SQLSTATE 22023 that says why; null where strict is false';

create or replace function frontdesk.normalize_phone(phone text, country text = null, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_phone_wrapper';
comment on function frontdesk.normalize_phone is
  'the phone number in E.164, +525512345678, whatever surrounds it: tel:, whatsapp:, brackets, a chat link; country '
  '(ISO 3166-1, MX): for numbers without a country code. Null for nothing. A length that its country does not have is '
  'an error of SQLSTATE 22023 that says why; null where strict is false';

create or replace function frontdesk.phone_key(phone text) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'phone_key_wrapper';
comment on function frontdesk.phone_key is
  'what identifies a phone number in E.164, the same for all of its spellings: WhatsApp''s of Brazil without the '
  'ninth digit, of Argentina with a 9, those from before a plan changed. Of a number without country code: its '
  'digits. Null for what people type where a form insists, 1111111111 or 123456789: it identifies nobody';

create or replace function frontdesk.phone_spellings(phone text) returns text[]
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'phone_spellings_wrapper';
comment on function frontdesk.phone_spellings is
  'all spellings in E.164 under which this number may be stored, its phone_key() first; none for a number that '
  'identifies nobody';

create or replace function frontdesk.normalize_handle(handle text, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_handle_wrapper';
comment on function frontdesk.normalize_handle is
  'the name of a profile on Instagram, Messenger or Telegram in lower case, without @ and without the address of the '
  'site; null for nothing. What cannot be one is an error of SQLSTATE 22023; null where strict is false';

create or replace function frontdesk.clean_line(value text, field text = 'text', longest int = 1000) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'clean_line_wrapper';
comment on function frontdesk.clean_line is
  'one line of text: line breaks and control characters are spaces, runs of them one space, none at the ends; null '
  'for nothing. Longer than that many characters (0: any) is an error of SQLSTATE 22001 that names the field';

create or replace function frontdesk_internal.normalize_row() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_normalize_row';
comment on function frontdesk_internal.normalize_row is
  'for a trigger before insert or update, for each row, that keeps columns in one spelling; its arguments are pairs '
  'of a column of type text and a kind: email, phone (with +), phone MX (the country of numbers without +), '
  'international (numbers with +; others stay as they are), handle, line, line 200 (characters at the most). What '
  'cannot be one is an error of SQLSTATE 22023 that says why';

create or replace function frontdesk.normalize_columns(source regclass, variadic rules text[]) returns void
language c as 'MODULE_PATHNAME', 'verb';
comment on function frontdesk.normalize_columns is
  'keep columns of a table in one spelling: a trigger _normalize with normalize_row(). rules: pairs of a column and a '
  'kind, as in normalize_columns(''customers'', ''email'', ''email'', ''phone'', ''phone MX''); the kinds are with '
  'normalize_row(). Called again it replaces them. Caller must own the table';
create or replace function frontdesk_internal.normalize_columns(source regclass, rules text[]) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  columns text;
  missing text;
begin
  perform frontdesk_internal.check_own_table(source);
  select string_agg(quote_ident(r.rule), ', ' order by r.n),
    min(r.rule) filter (where not exists (
      select from pg_attribute a where a.attrelid = source and a.attname = r.rule and a.attnum > 0 and not a.attisdropped))
  into columns, missing
  from unnest(rules) with ordinality r (rule, n) where r.n % 2 = 1;
  if columns is null or cardinality(rules) % 2 = 1 or array_position(rules, null) is not null then
    raise exception using errcode = 'invalid_parameter_value', message = 'rules are pairs of a column and a kind',
      hint = 'As in frontdesk.normalize_columns(''customers'', ''email'', ''email'', ''phone'', ''phone MX'').';
  elsif missing is not null then
    raise exception using errcode = 'undefined_column',
      message = format('column "%s" of %s does not exist', missing, source);
  end if;
  execute format('create or replace trigger _normalize before insert or update of %s on %s for each row execute function frontdesk_internal.normalize_row(%s)',
    columns, source, (select string_agg(quote_literal(r.rule), ', ' order by r.n) from unnest(rules) with ordinality r (rule, n)));
end
$$;
comment on function frontdesk_internal.normalize_columns(regclass, text[]) is 'internal: normalize_columns()';
