-- Room 05, schema: JSON Schema, by which what comes from outside is checked before it is used.

create or replace function frontdesk.check_schema(schema jsonb) returns jsonb
immutable parallel safe language c as 'MODULE_PATHNAME', 'check_schema_wrapper';
comment on function frontdesk.check_schema is
  'the JSON Schema itself, or an error saying what is wrong with it. Patterns run in linear time (no look-around); '
  'only references into the schema itself are allowed';

create or replace function frontdesk.validate_json(schema jsonb, document jsonb) returns table (path text, message text)
immutable strict parallel safe language c as 'MODULE_PATHNAME', 'validate_json_wrapper';
comment on function frontdesk.validate_json is
  'validate a document against a JSON Schema (2020-12, formats checked): a row per mistake with its place as a JSON '
  'pointer, at most 20; no row when it is valid. Compiled schemas are kept for the session';
