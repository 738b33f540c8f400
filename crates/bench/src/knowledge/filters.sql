-- 10,000 random filters on 10,000 random documents: how often compile_filter() and filter_matches() differ.
create schema if not exists bench;
set check_function_bodies = off;
create function bench.random_json(depth int) returns jsonb language sql volatile as $$
  select case (random() * case when depth > 0 then 8.9 else 5.9 end)::int
    when 0 then 'null' when 1 then to_jsonb(random() < 0.5) when 2 then to_jsonb((random() * 6)::int - 3)
    when 3 then to_jsonb(round((random() * 6 - 3)::numeric, 1))
    when 4 then to_jsonb((array['', 'a', 'b', 'ab', 'aB', 'é', E'\\', '''', '"', 'A', '10', '2026-01-01'])[1 + (random() * 11)::int])
    when 5 then to_jsonb(1.0) when 6 then bench.random_array(depth) when 7 then bench.random_array(depth) else bench.random_object(depth) end
$$;
create function bench.random_array(depth int) returns jsonb language sql volatile as $$
  select coalesce(jsonb_agg(bench.random_json(depth - 1)), '[]') from generate_series(1, (random() * 3)::int)
$$;
create function bench.random_object(depth int) returns jsonb language sql volatile as $$
  select coalesce(jsonb_object_agg((array['a', 'b', '0', 'a"b', E'c\\'])[1 + (random() * 4)::int], bench.random_json(depth - 1)), '{}')
  from generate_series(1, (random() * 4)::int)
$$;
create function bench.random_filter(depth int) returns jsonb language plpgsql volatile as $$
declare
  path text := (select string_agg((array['a', 'b', '0', '-1', 'a"b', E'c\\'])[1 + (random() * 5)::int], '.') from generate_series(0, (random() * 2)::int));
  operator text := (array['$eq', '$ne', '$gt', '$gte', '$lt', '$lte', '$in', '$nin', '$exists', '$contains', '$starts_with', '$ends_with'])[1 + (random() * 11)::int];
  operand jsonb;
begin
  if depth > 0 and random() < 0.4 then
    return case (random() * 2)::int
      when 0 then jsonb_build_object('$and', jsonb_build_array(bench.random_filter(depth - 1), bench.random_filter(depth - 1)))
      when 1 then jsonb_build_object('$or', jsonb_build_array(bench.random_filter(depth - 1), bench.random_filter(depth - 1)))
      else jsonb_build_object('$not', bench.random_filter(depth - 1)) end;
  end if;
  operand := case when operator in ('$in', '$nin') then bench.random_array(2) when operator = '$exists' then to_jsonb(random() < 0.5)
    when operator in ('$gt', '$gte', '$lt', '$lte') then case when random() < 0.5 then to_jsonb((random() * 6)::int - 3) else '"a"' end
    when operator in ('$starts_with', '$ends_with') then to_jsonb((array['', 'a', 'b', E'\\', ''''])[1 + (random() * 4)::int])
    else bench.random_json(2) end;
  operand := jsonb_build_object(operator, operand);
  return jsonb_build_object(path, case when random() < 0.2 then jsonb_build_object('$not', operand) else operand end);
end
$$;
create function bench.differences(times int, out differences int, out passed int) language plpgsql as $$
declare
  f jsonb;
  m jsonb;
  answer boolean;
begin
  differences := 0;
  passed := 0;
  perform setseed(0.125);
  for i in 1..times loop
    f := bench.random_filter(2);
    m := bench.random_object(3);
    execute format('select (%s) is true from (select $1 as m) x', frontdesk.compile_filter(f, 'm')) into answer using m;
    differences := differences + (answer <> frontdesk.filter_matches(f, m))::int;
    passed := passed + answer::int;
  end loop;
end
$$;
select differences || ' of 10,000 differ (' || passed || ' pass)' from bench.differences(10000);
