-- Room 50, scoring: the models that come with the extension. A model that was changed here is kept; the others follow the extension.

create or replace function frontdesk_internal.ship_score_model(name text, description text, tiers jsonb, groups jsonb, rules jsonb) returns void
language plpgsql set search_path = pg_catalog, frontdesk, pg_temp as $$
declare
  everybody constant uuid := '00000000-0000-0000-0000-000000000000';
begin
  if exists (select from frontdesk.score_model m where m.name = ship_score_model.name and m.tenant = everybody and not m.shipped) then
    return;
  end if;
  perform frontdesk.set_score_model(name, rules, tiers => tiers, groups => groups, description => description);
  update frontdesk.score_model m set shipped = true where m.name = ship_score_model.name and m.tenant = everybody;
end
$$;
comment on function frontdesk_internal.ship_score_model is 'internal: install a model, unless it was changed here';

do $do$
declare
  -- Words of English, Spanish, German, French and Dutch.
  price constant text := E'(?i)(?-u:\\b)(price|pricing|costs?|how much|quote|rates?|precio|costo|cu[aá]nto (cuesta|vale|sale)|cotizaci[oó]n|tarifas?|preise?|kosten|kostet|prix|combien|tarif|prijs|wat kost)(?-u:\\b)';
  budget constant text := E'(?i)(?-u:\\b)(budget|afford|spend|presupuesto|gastar|ausgeben|d[eé]penser|besteden)(?-u:\\b)';
  urgent constant text := E'(?i)(?-u:\\b)(today|now|asap|urgent(ly)?|immediately|right away|hoy|ahora|urgente|cuanto antes|heute|jetzt|dringend|sofort|aujourd.hui|maintenant|vandaag|nu|spoed)(?-u:\\b)';
  visit constant text := E'(?i)(?-u:\\b)(test.?drive|trial|demo|visit|viewing|appointment|come (by|in|over)|prueba de manejo|prueba|visita|cita|probefahrt|termin|besichtigung|essai|rendez.vous|visite|proefrit|afspraak|bezoek)(?-u:\\b)';
  financing constant text := E'(?i)(?-u:\\b)(financ(e|ing)|loan|leas(e|ing)|instal?lments?|monthly payments?|financiamiento|financiaci[oó]n|cr[eé]dito|cuotas|mensualidades|finanzierung|ratenzahlung|raten|cr[eé]dit|financement|financiering|lening|maandelijks)(?-u:\\b)';
begin
  perform frontdesk_internal.ship_score_model('completeness', 'how much of a contact is known',
    '{"very_high": 80, "high": 60, "medium": 40, "low": 0}', '{}', $$[
    {"name": "email", "points": 30, "filter": {"email": {"$contains": "@"}}, "reason": "has an e-mail address"},
    {"name": "phone", "points": 30, "filter": {"phone": {"$nin": [null, "", "null"]}}, "reason": "has a phone number"},
    {"name": "service", "points": 15, "filter": {"service": {"$nin": [null, "", "null"]}}, "reason": "says which service"},
    {"name": "company", "points": 15, "filter": {"company": {"$nin": [null, "", "null"]}}, "reason": "has a company"},
    {"name": "region", "points": 9, "filter": {"region": {"$nin": [null, "", "null"]}, "country": {"$nin": [null, "", "null"]}}, "reason": "region and country are known"},
    {"name": "postal_code", "points": 6, "filter": {"postal_code": {"$nin": [null, "", "null"]}}, "reason": "has a postal code"}]$$);
  perform frontdesk_internal.ship_score_model('intent', 'how much the message reads like someone who buys',
    '{"hot": 70, "warm": 50, "lukewarm": 30, "cold": 0}', '{"inquiry": 30, "budget": 20, "urgency": 20, "visit": 20}', jsonb_build_array(
    jsonb_build_object('name', 'question', 'points', 15, 'group', 'inquiry', 'filter', '{"message": {"$contains": "?"}}'::jsonb, 'reason', 'asks a question'),
    jsonb_build_object('name', 'service', 'points', 10, 'group', 'inquiry', 'filter', '{"service": {"$nin": [null, ""]}}'::jsonb, 'reason', 'says which service'),
    jsonb_build_object('name', 'details', 'points', 5, 'group', 'inquiry', 'filter', '{"message": {"$regex": "[0-9]"}}'::jsonb, 'reason', 'gives figures'),
    jsonb_build_object('name', 'price', 'points', 25, 'filter', jsonb_build_object('message', jsonb_build_object('$regex', price)), 'reason', 'asks for the price'),
    jsonb_build_object('name', 'website', 'points', 20, 'filter', E'{"message": {"$regex": "(?i)(https?://|www\\\\.|website|sitio web|p[aá]gina web|site web)"}}'::jsonb, 'reason', 'mentions the website'),
    jsonb_build_object('name', 'budget', 'points', 20, 'group', 'budget', 'filter', '{"budget": {"$gt": 0}}'::jsonb, 'reason', 'has a budget'),
    jsonb_build_object('name', 'budget_figure', 'points', 20, 'group', 'budget',
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', budget)), '{"message": {"$regex": "[0-9]"}}'::jsonb)), 'reason', 'names a budget'),
    jsonb_build_object('name', 'budget_word', 'points', 10, 'group', 'budget', 'filter', jsonb_build_object('message', jsonb_build_object('$regex', budget)), 'reason', 'speaks of a budget'),
    jsonb_build_object('name', 'urgent', 'points', 20, 'group', 'urgency', 'filter', jsonb_build_object('message', jsonb_build_object('$regex', urgent)), 'reason', 'wants it now'),
    jsonb_build_object('name', 'this_week', 'points', 15, 'group', 'urgency',
      'filter', E'{"message": {"$regex": "(?i)(?-u:\\\\b)(this week|tomorrow|esta semana|ma[nñ]ana|diese woche|morgen|cette semaine|demain|deze week)(?-u:\\\\b)"}}'::jsonb, 'reason', 'wants it this week'),
    jsonb_build_object('name', 'soon', 'points', 8, 'group', 'urgency',
      'filter', E'{"message": {"$regex": "(?i)(?-u:\\\\b)(soon|this month|next week|pronto|este mes|bald|n[aä]chste woche|bient[oô]t|binnenkort|volgende week)(?-u:\\\\b)"}}'::jsonb, 'reason', 'wants it soon'),
    jsonb_build_object('name', 'returns', 'points', 5, 'group', 'urgency', 'filter', '{"touches": {"$gt": 5}}'::jsonb, 'reason', 'keeps coming back'),
    jsonb_build_object('name', 'visit', 'points', 15, 'group', 'visit', 'filter', jsonb_build_object('message', jsonb_build_object('$regex', visit)), 'reason', 'wants to see it'),
    jsonb_build_object('name', 'urgent_visit', 'points', 5, 'group', 'visit',
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', visit)), jsonb_build_object('message', jsonb_build_object('$regex', urgent)))), 'reason', 'wants to see it now'),
    jsonb_build_object('name', 'trade_in', 'points', 10,
      'filter', E'{"message": {"$regex": "(?i)(?-u:\\\\b)(trade.?in|part exchange|permuta|a cuenta|inzahlung|reprise|inruil(en)?)(?-u:\\\\b)"}}'::jsonb, 'reason', 'has something to trade in'),
    jsonb_build_object('name', 'financing', 'points', 10, 'filter', jsonb_build_object('message', jsonb_build_object('$regex', financing)), 'reason', 'asks about financing'),
    jsonb_build_object('name', 'price_now', 'points', 15,
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', price)), jsonb_build_object('message', jsonb_build_object('$regex', urgent)))), 'reason', 'price and urgency together'),
    jsonb_build_object('name', 'price_visit', 'points', 10,
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', price)), jsonb_build_object('message', jsonb_build_object('$regex', visit)))), 'reason', 'price and a visit together'),
    jsonb_build_object('name', 'price_financing', 'points', 10,
      'filter', jsonb_build_object('$and', jsonb_build_array(jsonb_build_object('message', jsonb_build_object('$regex', price)), jsonb_build_object('message', jsonb_build_object('$regex', financing)))), 'reason', 'price and financing together')));
  perform frontdesk_internal.ship_score_model('fit', 'how well the business suits: budget, size of the company, engagement',
    '{"hot": 70, "warm": 40, "cold": 0}', '{}', $$[
    {"name": "budget", "points": 40, "value": "budget", "from": 0, "to": 10000, "reason": "budget"},
    {"name": "company_size", "points": 30, "value": "custom_attributes.company_size", "from": 0, "to": 250, "reason": "people in the company"},
    {"name": "engagement", "points": 30, "value": "touches", "from": 1, "to": 10, "reason": "how often they wrote"}]$$);
  perform frontdesk_internal.ship_score_model('default', 'completeness, intent and fit together',
    '{"hot": 60, "warm": 40, "lukewarm": 20, "cold": 0}', '{}', $$[
    {"name": "completeness", "points": 0.4, "part": "completeness"},
    {"name": "intent", "points": 0.4, "part": "intent"},
    {"name": "fit", "points": 0.2, "part": "fit"}]$$);
end
$do$;
