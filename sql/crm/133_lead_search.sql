-- Room 30, leads: find them, count them, look at them.

create or replace function crm.fold(value text) returns text
immutable strict parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return lower(@schema:unaccent@.unaccent('@schema:unaccent@.unaccent'::regdictionary, value));
end
$$;
comment on function crm.fold(text) is
  'in lower case and without accents, for searching; immutable as long as nobody changes the rules of unaccent';

create or replace function crm_internal.lead_words(name text, email text, phone text, whatsapp text, company text, instagram text, messenger text, telegram text)
returns text
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  return lower(@schema:unaccent@.unaccent('@schema:unaccent@.unaccent'::regdictionary,
    concat_ws(' ', '', name, email, phone, nullif(whatsapp, phone), company, instagram, messenger, telegram)));
end
$$;
comment on function crm_internal.lead_words(text, text, text, text, text, text, text, text) is
  'internal: what search_leads() looks for parts of words in';

create or replace function crm_internal.lead_document(service text, message text, notes text, source text, campaign text, city text) returns tsvector
immutable parallel safe language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- A tsvector ends at 1 MB; what somebody is looked for by stands at the beginning.
  return to_tsvector('simple', lower(@schema:unaccent@.unaccent('@schema:unaccent@.unaccent'::regdictionary,
    concat_ws(' ', service, left(message, 5000), left(notes, 5000), source, campaign, city))));
end
$$;
comment on function crm_internal.lead_document(text, text, text, text, text, text) is
  'internal: what search_leads() looks for whole words in';

-- One index for both: every index is a cost of every lead.
create index if not exists leads_search_idx on crm.leads using gin (
  crm_internal.lead_words(name, email, phone, whatsapp, company, instagram, messenger, telegram) @schema:pg_trgm@.gin_trgm_ops,
  crm_internal.lead_document(service, message, notes, source, campaign, city));

create or replace function crm.authorize(account uuid = null) returns uuid
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  -- Within a security definer function, current_user is its owner; the setting role still tells who called.
  caller name := coalesce(nullif(current_setting('role'), 'none'), session_user);
begin
  if crm.current_user_id() is null and not exists (
    select from pg_roles r, pg_class c
    where r.rolname = caller and c.oid = 'crm.accounts'::regclass and (r.rolsuper or r.rolbypassrls or pg_has_role(r.oid, c.relowner, 'usage')))
  then
    raise exception using errcode = 'insufficient_privilege', message = 'you have no account',
      hint = 'No user is set: see crm.current_user_id().';
  end if;
  return crm_internal.this_account(account);
end
$$;
comment on function crm.authorize(uuid) is
  'what security definer functions ask first, as row level security does not hold in them: crm_internal.this_account(), and '
  'nothing for a role without a user that is under row level security';

create or replace function crm_internal.rare_parts(term text) returns text[]
stable language sql set search_path = pg_catalog, pg_temp as $$
  -- What ANALYZE sampled of the index says which parts are common.
  with sample as (
    select s.histogram_bounds::text::text[] as rows from pg_stats s where s.schemaname = 'crm' and s.tablename = 'leads_search_idx' and s.attname = 'lead_words'),
  parts as (
    select distinct on (p.part) p.part, p.whole, length(p.part) < 3 as short,
      (select count(*) from sample, unnest(sample.rows) r where position(p.part in r) > 0) * 10 > (select cardinality(sample.rows) from sample) as common
    from (
      select part, false as whole from regexp_split_to_table(term, '[^[:alnum:]]+') part where length(part) >= 2
      union all select w, true from regexp_split_to_table(term, ' ') w) p),
  ranked as (
    select *, row_number() over (order by short, whole, coalesce(common, false), length(part) desc) as place from parts)
  select array_agg('%' || case when short then ' ' else '' end || regexp_replace(part, E'([\\\\%_])', E'\\\\\\1', 'g') || '%' order by place)
  from ranked where place = 1 or place <= 3 and not short and not whole and common is not true
$$;
comment on function crm_internal.rare_parts(text) is
  'internal: patterns of those parts of a term that not every tenth lead has in it, at least one; less than three '
  'characters are looked for at the beginning of words';

create or replace function crm.search_leads(term text, account uuid = null, max_rows int = 50)
returns table (id bigint, name text, email text, phone text, company text, service text, source text, stage text, score numeric,
  score_tier text, created_at timestamptz, rank real)
stable language plpgsql security definer set search_path = pg_catalog, pg_temp set pg_trgm.word_similarity_threshold = 0.4 as $$
declare
  words constant text := 'crm_internal.lead_words(l.name, l.email, l.phone, l.whatsapp, l.company, l.instagram, l.messenger, l.telegram)';
  document constant text := 'crm_internal.lead_document(l.service, l.message, l.notes, l.source, l.campaign, l.city)';
  in_account uuid := crm.authorize(account);
  folded text := crm.fold(frontdesk.clean_line(term, 'the term', 200));
  -- A phone number is written in many ways, and kept in one.
  digits text := case when folded ~ '^[-+0-9 ().]{4,}$' then nullif(ltrim(regexp_replace(folded, E'\\D', '', 'g'), '0'), '') end;
  looked_for text := coalesce(digits, folded);
  most int := least(greatest(coalesce(max_rows, 50), 1), 200);
  address text := case when folded like '%@%' then frontdesk.normalize_email(folded, false) end;
  rare text;
  all_words text;
  misspelt text;
  lexemes text;
begin
  if folded is null then
    raise exception using errcode = 'invalid_parameter_value', message = 'the term to look for is empty',
      hint = 'Give at least one character.';
  end if;
  if address is not null then
    return query
      select l.id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.created_at, 2::real
      from crm.leads l where l.account_id = in_account and l.email = address order by l.created_at desc, l.id desc limit most;
    if found then
      return;
    end if;
  end if;
  -- Rare parts are looked for by the index: one that looks for all of "ana@example.com" reads every address with "com" in it.
  select string_agg(format('%s like %L', words, p), ' and ') into rare from unnest(crm_internal.rare_parts(looked_for)) p;
  select string_agg(format('position(%L in l.words) > 0', w), ' and '), string_agg(format('%s operator(@schema:pg_trgm@.%%>) %L', words, w), ' and ')
  into all_words, misspelt from regexp_split_to_table(looked_for, ' ') w;
  select string_agg(quote_literal(t) || ':*', ' & ') into lexemes from unnest(tsvector_to_array(to_tsvector('simple', folded))) t;
  return query execute format($q$
    select l.id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.created_at, f.rank
    from (
      select c.id, max(c.rank)::real as rank
      from (
        (select l.id, 1 + @schema:pg_trgm@.word_similarity(%3$L, l.words) as rank
         from (select l.id, %4$s as words from crm.leads l where l.account_id = %1$L and %8$s offset 0) l where %2$s limit 200)
        union all
        (select l.id, ts_rank(%6$s, %5$L::tsquery, 32) from crm.leads l where l.account_id = %1$L and %6$s @@ %5$L::tsquery limit 200)) c
      group by c.id) f
    join crm.leads l on l.id = f.id
    order by f.rank desc, l.created_at desc, l.id desc limit %7$s $q$,
    in_account, all_words, looked_for, words, coalesce(lexemes, ''), document, most, rare);
  if not found then
    -- Nothing is written so: what is written nearly so.
    return query execute format($q$
      select l.id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.created_at,
        @schema:pg_trgm@.word_similarity(%2$L, %3$s)
      -- Comparing is slow, and what is very common is not worth it.
      from (select * from crm.leads l where l.account_id = %1$L and %5$s limit 250) l
      order by 12 desc, l.created_at desc, l.id desc limit %4$s $q$,
      in_account, folded, words, most, misspelt);
  end if;
end
$$;
comment on function crm.search_leads(text, uuid, int) is
  'leads of an account with these words in them, best first: parts of names, addresses, numbers, companies and '
  'handles, whole words of what they want and wrote. Case and accents do not matter; where nothing is found, misspelt '
  'names are. Security definer, for row level security would keep the indexes from being used: it asks '
  'crm.authorize() itself';

create or replace function crm.lead_stats("from" timestamptz = null, "to" timestamptz = null, account uuid = null)
returns table (total bigint, open bigint, won bigint, lost bigint, conversion_rate numeric, average_score numeric, with_email bigint,
  with_phone bigint, came_again bigint, median_time_to_win interval, by_stage jsonb, by_source jsonb)
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
  in_account uuid := crm_internal.this_account(account);
begin
  return query with chosen as (
    select l.*, s.kind from crm.leads l join crm.lead_stages s on s.account_id = l.account_id and s.name = l.stage
    where l.account_id = in_account
      and l.created_at >= coalesce("from", frontdesk.now() - interval '30 days') and l.created_at < coalesce("to", 'infinity'))
  select count(*), count(*) filter (where kind = 'open'), count(*) filter (where kind = 'won'), count(*) filter (where kind = 'lost'),
    round(100.0 * count(*) filter (where kind = 'won') / nullif(count(*), 0), 2), round(avg(score), 2),
    count(email), count(coalesce(phone, whatsapp)), count(*) filter (where touches > 1),
    justify_interval(percentile_cont(0.5) within group (order by converted_at - created_at) filter (where kind = 'won')),
    (select coalesce(jsonb_object_agg(c.stage, c.n), '{}') from (select stage, count(*) as n from chosen group by stage) c),
    (select coalesce(jsonb_object_agg(c.source, c.n), '{}') from (select coalesce(source, '') as source, count(*) as n from chosen group by 1) c)
  from chosen;
end
$$;
comment on function crm.lead_stats(timestamptz, timestamptz, uuid) is
  'what became of the leads that came in from "from" (30 days ago) until before "to" (now): counts, conversion_rate '
  'in percent, average score, how long the median sale took';

create or replace view crm.leads_high_priority with (security_invoker = true) as
select l.id, l.account_id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.agent_id, l.created_at,
  frontdesk.now() - l.stage_changed_at as time_in_stage
from crm.leads l
join crm.lead_stages s on s.account_id = l.account_id and s.name = l.stage
join crm.accounts a on a.id = l.account_id
where s.kind = 'open'
  and l.score >= case when jsonb_typeof(a.settings->'high_priority_score') = 'number' then (a.settings->>'high_priority_score')::numeric else 60 end
order by l.score desc, l.created_at;
comment on view crm.leads_high_priority is
  'open leads with a score of at least 60, or what the account''s setting high_priority_score says; the best first';

create or replace view crm.leads_untouched with (security_invoker = true) as
select l.id, l.account_id, l.name, l.email, l.phone, l.company, l.service, l.source, l.stage, l.score, l.score_tier, l.agent_id, l.created_at,
  frontdesk.now() - l.created_at as waiting
from crm.leads l
where l.stage = (select s.name from crm.lead_stages s where s.account_id = l.account_id and s.kind = 'open' order by s.position limit 1)
order by l.created_at;
comment on view crm.leads_untouched is
  'leads still in the first stage: nobody has answered them; the one that has waited longest first';

create or replace view crm.pipeline with (security_invoker = true) as
select s.account_id, s.position, s.name as stage, s.label, s.kind, s.probability, count(l.id) as leads,
  coalesce(sum(l.budget), 0) as value, round(coalesce(sum(l.budget), 0) * s.probability, 2) as expected_value,
  round(avg(l.score), 2) as average_score, frontdesk.now() - min(l.stage_changed_at) as longest_in_stage
from crm.lead_stages s
left join crm.leads l on l.account_id = s.account_id and l.stage = s.name
group by s.account_id, s.name
order by s.account_id, s.position;
comment on view crm.pipeline is
  'the stages of an account, and what is in each: number, budgets, budgets times probability, how long the longest '
  'waits';
