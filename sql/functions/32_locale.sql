-- Room 32, locale: moments as people read them.

create or replace function frontdesk.format_time(moment timestamptz, timezone text = 'UTC', locale text = 'en', style text = 'full') returns text
stable parallel safe language c as 'MODULE_PATHNAME', 'format_time_wrapper';
comment on function frontdesk.format_time(timestamptz, text, text, text) is
  'a moment in a time zone, in words of a language (BCP 47: en, es-MX): "viernes, 13 de noviembre de 2026, 10:00". '
  'style: full, date, time, short. Words and order are those of CLDR';

create or replace function frontdesk.check_locale(locale text) returns text
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_locale_wrapper';
comment on function frontdesk.check_locale is 'a language tag in its canonical spelling (pt_br is pt-BR), or an error';

create or replace function frontdesk.vtimezone(timezone text, "from" timestamptz, "until" timestamptz) returns text[]
stable strict parallel safe language c as 'MODULE_PATHNAME', 'vtimezone_wrapper';
comment on function frontdesk.vtimezone is
  'the component VTIMEZONE of a calendar file (RFC 5545), line by line: the UTC offsets of a time zone between two '
  'moments, and when they change next';
