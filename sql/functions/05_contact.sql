-- Room 05, contact: ways to reach people, in one spelling each.

create or replace function frontdesk.normalize_email(email text, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_email_wrapper';
comment on function frontdesk.normalize_email(text, boolean) is
  'the e-mail address in lower case, out of what people paste (spaces, mailto:, Ana <ana@example.com>); null for nothing. '
  'What cannot be one is an error of SQLSTATE 22023 that says why; null where strict is false';

create or replace function frontdesk.normalize_phone(phone text, country text = null, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_phone_wrapper';
comment on function frontdesk.normalize_phone(text, text, boolean) is
  'the telephone number as in E.164, +525512345678; country (ISO 3166-1, MX): of numbers written without a country code. Null for nothing. '
  'A length that its country does not have is an error of SQLSTATE 22023 that says why; null where strict is false';

create or replace function frontdesk.normalize_handle(handle text, strict boolean = true) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'normalize_handle_wrapper';
comment on function frontdesk.normalize_handle(text, boolean) is
  'the name of a profile on Instagram, Messenger or Telegram in lower case, without @ and without the address of the site; null for nothing. '
  'What cannot be one is an error of SQLSTATE 22023; null where strict is false';

create or replace function frontdesk.clean_line(value text, field text = 'text', longest int = 1000) returns text
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'clean_line_wrapper';
comment on function frontdesk.clean_line(text, text, int) is
  'one line of text: line breaks and control characters are spaces, runs of them one space, none at the ends; null for nothing. '
  'Longer than that many characters (0: any) is an error of SQLSTATE 22001 that names the field';

create or replace function frontdesk.normalize_row() returns trigger
language c as 'MODULE_PATHNAME', 'frontdesk_normalize_row';
comment on function frontdesk.normalize_row() is
  'for a trigger before insert or update, for each row, that keeps columns in one spelling; its arguments are pairs of a column of type text and a kind: email, phone (with +), phone MX (the country of numbers without +), '
  'international (numbers with +; others stay as they are), handle, line, line 200 (characters at the most). What cannot be one is an error of SQLSTATE 22023 that says why';
