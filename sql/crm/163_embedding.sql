-- Room 163, embedding: which embedder makes the vectors of an account's passages.

create or replace function crm.use_embedder(embedder text = null, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm_internal.this_account(account);
  this record := frontdesk.find_embedder(use_embedder.embedder);
begin
  perform crm.configure_knowledge(model => this.model, dimensions => this.dimensions, account => owner);
  -- One declaration an embedder: whose passages it makes vectors for is in the settings.
  return frontdesk.embed_table('crm.document_chunks', 'content', 'embedding', this.name, format(
    'account_id in (select s.account_id from crm.knowledge_settings s where s.model = %L and s.dimensions = %s)', this.model, this.dimensions));
end
$$;
comment on function crm.use_embedder(text, uuid) is
  'let this embedder (null: the only one) make the vectors of an account''s passages, of those there are and those to '
  'come; returns how many wait. For whoever owns schema crm';

create or replace function crm.embed_query(query text, account uuid = null) returns @schema:vector@.vector
stable language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  embedder text;
begin
  if query is null or query !~ E'\\S' or not has_function_privilege('frontdesk.embed(text,text)', 'execute') then
    return null;
  end if;
  select min(frontdesk.embedder_of(s.model, s.dimensions)) into embedder from crm.knowledge_settings s
  where embed_query.account is null or s.account_id = embed_query.account
  having count(distinct (s.model, s.dimensions)) = 1;
  if embedder is null then
    return null;
  end if;
  return frontdesk.embed(query, embedder);
exception when connection_failure then
  -- A search by words is better than none.
  raise warning using message = sqlerrm, detail = 'The search goes on without a vector.',
    hint = 'See frontdesk.embedders.';
  return null;
end
$$;
comment on function crm.embed_query(text, uuid) is
  'the vector of a question by the embedder of the account (null: of all accounts one sees, if they have the same); '
  'null without one, without the right to call frontdesk.embed(), or while it does not answer';
