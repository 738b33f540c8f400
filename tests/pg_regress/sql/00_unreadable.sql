-- What is valid JSON for PostgreSQL and beyond what is read here is an error of the caller's, in a sentence, of every function that
-- takes JSON; a filter looks into any document.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
create procedure tried(call text) language plpgsql as $$
declare
  remedy text;
begin
  execute call;
  raise notice '% is taken', left(call, 60);
exception when others then
  get stacked diagnostics remedy = pg_exception_hint;
  raise notice '%: % % %', left(call, 60), sqlstate, sqlerrm, remedy;
end
$$;
do $$
declare
  json text;
  call text;
begin
  foreach json in array array['[1e400]', repeat('[', 3000) || repeat(']', 3000)] loop
    foreach call in array array[
      'select frontdesk.filter_matches(%1$L, ''{}'')', 'select frontdesk.filter_matches(''{}'', %1$L)', 'select frontdesk.check_filter(%1$L)',
      'select frontdesk.check_schema(%1$L)', 'select frontdesk.validate_json(%1$L, ''1'')', 'select frontdesk.validate_json(''{}'', %1$L)',
      'select frontdesk.check_headers(%1$L)', 'select frontdesk.check_retry(%1$L)', 'select frontdesk_internal.filter_predicate(%1$L, ''x'', true)']
    loop
      call tried(format(call, json));
    end loop;
  end loop;
end
$$;
select frontdesk_internal.filter_predicate('{"a": 1}', 'x', null) is not null;

-- What is missing is no internal error either, of no function for the engine alone.
call tried('select frontdesk_internal.check_score_book('''')');
call tried('select count(*) from frontdesk.split_text(''x'', null)');
call tried('select frontdesk_internal.timer_rows_as(0::oid, ''select 1'', 1)');
call tried('select frontdesk_internal.timer_at_work(null, null, null, null)');
select count(*) from frontdesk_internal.texts_as(null, 'select 1', null, null);
select frontdesk_internal.timer_rows_as(null, 'select 1', 1) is null, frontdesk_internal.run_script('pg_monitor', null) is null;
select count(*) from frontdesk_internal.timer_rows(null, array[null], null);
