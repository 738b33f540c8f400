-- Room 65, embedding: which embedder makes the vectors of an account's passages.

create or replace function crm.use_embedder(embedder text = null, account uuid = null) returns bigint
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  owner uuid := crm.use_account(account);
  this bigint := frontdesk.embedder_id(use_embedder.embedder);
  model text := frontdesk.embedder_model(this);
  dimensions int := frontdesk.embedder_dimensions(this);
begin
  perform crm.configure_knowledge(model => model, dimensions => dimensions, account => owner);
  -- One declaration an embedder: whose passages it makes vectors for is in the settings.
  return frontdesk.embed_table('crm.document_chunks', 'content', 'embedding', frontdesk.embedder_name(this), format(
    'account_id in (select s.account_id from crm.knowledge_settings s where s.model = %L and s.dimensions = %s)', model, dimensions));
end
$$;
comment on function crm.use_embedder(text, uuid) is
  'let this embedder (null: the only one) make the vectors of an account''s passages, of those there are and those to come; returns how many wait. For whoever owns schema crm';
