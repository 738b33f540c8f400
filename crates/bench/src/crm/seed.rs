//! The system that crm replaces, made again from its description: 66 columns, its 37 indexes, and of its triggers the one that scores.

/// Columns beside the key, with their types.
const COLUMNS: &str = "lead_id text unique, fb_click_id text, nombre varchar(200), email varchar(200), telefono varchar(50), \
    servicio varchar(200), fuente varchar(100), empresa varchar(200), estado varchar(100), pais varchar(100), \
    codigo_postal varchar(20), direccion_ip inet, identificador_externo text, url_origen text, user_agent text, \
    nombre_formulario text, nombre_campana text, nombre_conjunto_anuncios text, nombre_anuncio text, nombre_pagina text, \
    estado_lead varchar(50) default 'Nuevo Lead', fecha_creado date default current_date, \
    fecha_creado_timestamp timestamptz default now(), created_at timestamptz default now(), updated_at timestamptz default now(), \
    fecha_conversion timestamptz, enviado_meta boolean default false, score_lead int default 0, mes_creacion int, \
    ano_creacion int, utm_source text, utm_medium text, utm_campaign text, utm_content text, utm_term text, fbclid text, \
    fuente_completa text, campana_nombre text, anuncio_nombre text, error_meta text, client_id text unique, messenger text, \
    instagram text, whatsapp text, identificado text, nombre_normalizado text, es_cliente text, messenger_normalizado text, \
    instagram_normalizado text, fbp text, telegram text, conversationid text, accountid text, content_type text, private text, \
    content_attributes text, contact_id text, sessionid text, agente text, message_type text, sender text, \
    chatwoot_contact_id int, telegram_normalizado text, source_id_web text, source_id_chatwoot text";

const INDEXES: [&str; 34] = [
    "campana_nombre",
    "chatwoot_contact_id",
    "client_id, estado_lead",
    "client_id, fecha_creado desc",
    "client_id",
    "created_at",
    "email",
    "enviado_meta",
    "es_cliente) where (es_cliente is not null",
    "estado",
    "estado_lead, fecha_creado desc",
    "estado_lead",
    "fb_click_id) where (fb_click_id is not null",
    "fbclid) where (fbclid is not null",
    "fecha_conversion) where (fecha_conversion is not null",
    "fecha_creado",
    "fecha_creado_timestamp",
    "fuente",
    "fuente, fecha_creado desc",
    "identificado) where (identificado is not null",
    "lead_id",
    "ano_creacion, mes_creacion",
    "nombre",
    "nombre_campana",
    "nombre_formulario",
    "nombre_normalizado",
    "pais",
    "score_lead desc",
    "servicio",
    "servicio, estado_lead",
    "telefono",
    "utm_campaign",
    "utm_medium",
    "utm_source",
];

/// What is filled in counts; nothing, and the word null, do not.
const SCORE: &str = "create function seed_score() returns trigger language plpgsql as $$
    declare
      points int := 60;
    begin
      if new.email is not null and new.email like '%@%' then points := points + 10; end if;
      if new.telefono is not null and new.telefono <> '' and new.telefono <> 'null' then points := points + 10; end if;
      if new.servicio is not null and new.servicio <> '' and new.servicio <> 'null' then points := points + 5; end if;
      if new.empresa is not null and new.empresa <> '' and new.empresa <> 'null' then points := points + 5; end if;
      if new.estado is not null and new.estado <> '' and new.estado <> 'null'
         and new.pais is not null and new.pais <> '' and new.pais <> 'null' then points := points + 3; end if;
      if new.codigo_postal is not null and new.codigo_postal <> '' and new.codigo_postal <> 'null' then points := points + 2; end if;
      new.score_lead := least(points, 100);
      return new;
    end $$";

/// Makes the table `name`; with its indexes or with none but its key.
pub fn create(name: &str, indexed: bool) -> String {
    let mut script = format!("create table {name} (id bigint generated always as identity primary key, {COLUMNS});");
    if indexed {
        for columns in INDEXES {
            script += &format!("create index on {name} ({columns});");
        }
        script += &format!(
            "create index on {name} using gin (to_tsvector('spanish', coalesce(nombre, '') || ' ' || coalesce(email, '') || ' ' || coalesce(empresa, '') || ' ' || coalesce(telefono, '')));"
        );
    } else {
        script +=
            &format!("alter table {name} drop constraint {name}_lead_id_key, drop constraint {name}_client_id_key;");
    }
    script += &SCORE.replace("create function", "create or replace function");
    script += &format!(
        "; create trigger seed_score before insert or update of email, telefono, servicio, empresa, pais, estado, codigo_postal on {name} for each row execute function seed_score();"
    );
    script
}
