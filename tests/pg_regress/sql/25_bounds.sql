-- What is large is known by its size, what doubles is refused before it is made, what is deep is cut off.

-- The size of a jsonb as text is known without its text.
select count(*) as documents, bool_and(frontdesk_internal.json_bytes(v) = octet_length(v::text)) as exact
from (
  select to_jsonb(n) from generate_series(-1000, 100000, 37) n
  union all select jsonb_build_array(n::numeric / 7, -n * 1e10, (n::text || 'e-' || n % 30)::numeric, round(n / 3.0, n % 9)) from generate_series(1, 999) n
  union all select jsonb_build_object(repeat('k', n), chr(n) || 'ü"\' || E'\t', 'x', '[]'::jsonb, 'y', '{}'::jsonb) from generate_series(1, 300) n
  union all select jsonb_agg(n) from generate_series(1, 5000) n
  union all select t::jsonb from (values ('0'), ('-0.0'), ('0.000'), ('true'), ('null'), ('"x"'), ('[[[]]]'), ('[[], {}, [null, false]]'), ('{"a": {"b": [1, {"c": "d"}]}}'),
    ('9e100'), ('1.50'), ('-123456789012345678901234567890.0010'), ('0.00000000000000000001'), ('[99991e3, 1e-9]')) v (t)) d (v);
select frontdesk_internal.json_bytes(('[' || repeat('9e131071, ', 8000) || '1]')::jsonb);

-- A schema is counted as often as it is referred to.
select * from frontdesk.validate_json((
  select jsonb_build_object('$ref', '#/$defs/a0', '$defs', jsonb_object_agg('a' || n,
    jsonb_build_object('allOf', jsonb_build_array(jsonb_build_object('$ref', '#/$defs/a' || n + 1), jsonb_build_object('$ref', '#/$defs/a' || n + 1))))
    || '{"a40": {}}')
  from generate_series(0, 39) n), '{}');

-- A template works with so many bytes of values, whatever it makes of them.
select frontdesk.add_endpoint('large', 'https://example.com/', payload => '{{ ("a"*1000000)|list|join("b"*1000)|length }}') is not null as added;

-- A filter looks into what is nested deep, as far down as it makes sense.
select frontdesk.filter_matches('{"kind": "deep"}', jsonb_build_object('kind', 'deep', 'a', (repeat('[', 3000) || repeat(']', 3000))::jsonb));
-- Numbers are compared as they are written.
select frontdesk.filter_matches('{"n": {"$lt": 12345678}}', '{"n": 12345677.99}') as less,
  frontdesk.filter_matches('{"n": 100}', '{"n": 100.00}') as same;

-- A schedule that never comes is found out at once.
select * from frontdesk.next_runs('0 0 30 2 *', 'UTC', 5);

select frontdesk.remove_endpoint('large');
