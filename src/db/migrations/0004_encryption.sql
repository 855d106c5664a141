-- What is sealed in the database, and the keys that it is sealed with. The keys are in a schema of their own, so that
-- they can be left out of the long-lived backups: what is restored of an erased organization then has no key.

-- The KEK that the organization chose, as its EncryptionKey names it; null: the installation's default.
alter table cardea.organizations add column encryption_key jsonb check (jsonb_typeof(encryption_key) = 'object');

do $$
begin
  if to_regnamespace('cardea_keys') is null then
    raise exception 'the schema cardea_keys is missing' using hint =
      'As a superuser: create schema cardea_keys authorization cardea_migrate; grant usage on schema cardea_keys to cardea_operator, cardea_auth;';
  end if;
end $$;

-- Data keys (AES-256), wrapped by a KEK: {"provider", "keyId", "version"}. One is active; a retired one opens what it sealed
-- until that is sealed anew.
create table cardea_keys.data_keys (
  organization_id uuid not null,
  version integer not null check (version > 0),
  kek jsonb not null check (jsonb_typeof(kek) = 'object'),
  wrapped bytea not null check (octet_length(wrapped) <= 65536),
  created_at timestamptz not null default now(),
  retired_at timestamptz,
  -- The value of the annotation that asked for it: asked for again it makes no other.
  rotation_request text check (length(rotation_request) <= 253),
  primary key (organization_id, version)
);
create unique index data_keys_active on cardea_keys.data_keys (organization_id) where retired_at is null;
alter table cardea_keys.data_keys enable row level security, force row level security;
create policy tenant on cardea_keys.data_keys
  using (organization_id = cardea.current_organization()) with check (organization_id = cardea.current_organization());
grant select, insert, update, delete on cardea_keys.data_keys to cardea_operator;
grant select on cardea_keys.data_keys to cardea_auth;

-- Organizations whose data keys were destroyed. A backup must not bring a key back.
create table cardea_keys.erased_organizations (
  organization_id uuid primary key,
  erased_at timestamptz not null default now()
);
create function cardea_keys.refuse_erased() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  -- Not beside an erasure: it would not see this row, and leave it.
  perform pg_advisory_xact_lock(hashtextextended('cardea.data_keys ' || new.organization_id, 0));
  if exists (select from cardea_keys.erased_organizations e where e.organization_id = new.organization_id) then
    raise exception 'organization % was erased: its keys do not come back', new.organization_id using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger erased before insert on cardea_keys.data_keys for each row execute function cardea_keys.refuse_erased();
revoke all on function cardea_keys.refuse_erased() from public;

-- Destroys the data keys of the transaction's organization, for good.
create function cardea_keys.erase() returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('cardea.data_keys ' || cardea.current_organization(), 0));
  insert into cardea_keys.erased_organizations (organization_id) values (cardea.current_organization()) on conflict do nothing;
  delete from cardea_keys.data_keys d where d.organization_id = cardea.current_organization();
  delete from cardea_keys.api_key_envelopes e where e.organization_id = cardea.current_organization();
end $$;
revoke all on function cardea_keys.erase() from public;
grant execute on function cardea_keys.erase() to cardea_operator;

-- The envelopes of API keys' secrets, kept to repair a Secret that somebody edited. They were a column of the secrets; here they
-- go with the data keys, into no long-lived backup, and away with an erasure.
create table cardea_keys.api_key_envelopes (
  organization_id uuid not null,
  secret_id uuid not null,
  api_key_id uuid not null,
  envelope jsonb not null,
  primary key (organization_id, secret_id),
  foreign key (organization_id, secret_id) references cardea.api_key_secrets (organization_id, id) on delete cascade
);
-- Row-level security holds for the owner too, who has no tenant here and would find nothing to move.
alter table cardea.api_key_secrets no force row level security;
insert into cardea_keys.api_key_envelopes (organization_id, secret_id, api_key_id, envelope)
  select s.organization_id, s.id, s.api_key_id, s.envelope from cardea.api_key_secrets s where s.envelope is not null;
alter table cardea.api_key_secrets force row level security;
alter table cardea.api_key_secrets drop column envelope;
alter table cardea_keys.api_key_envelopes enable row level security, force row level security;
create policy tenant on cardea_keys.api_key_envelopes
  using (organization_id = cardea.current_organization()) with check (organization_id = cardea.current_organization());
-- Not on insert: it comes with its secret, which has a trigger of its own.
create trigger changes after update or delete on cardea_keys.api_key_envelopes
  for each row execute function cardea.record_change('api_key', 'organization_id', 'api_key_id');
create trigger erased before insert on cardea_keys.api_key_envelopes for each row execute function cardea_keys.refuse_erased();
grant select, insert, update, delete on cardea_keys.api_key_envelopes to cardea_operator;

-- A secret with its envelope, as its reader may see both.
create view cardea_keys.api_key_secrets with (security_invoker = true) as
  select s.organization_id, s.id, s.api_key_id, s.digest, s.source, s.last_four, e.envelope, s.created_at, s.expires_at, s.revoked_at
  from cardea.api_key_secrets s
  left join cardea_keys.api_key_envelopes e on (e.organization_id, e.secret_id) = (s.organization_id, s.id);
grant select on cardea_keys.api_key_secrets to cardea_operator;

-- Third-party credentials. No column has a value: a version is sealed by a data key, bound to organization, table, row and
-- column. fingerprint tells people which value it is: the start of an HMAC, which nobody can try values against.
create table cardea.provider_credentials (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  name text not null,
  project_id uuid,
  provider text not null check (provider ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  managed_by text not null check (managed_by in ('resource', 'api')),
  owner_installation text,
  owner_namespace text,
  owner_name text,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, project_id) references cardea.projects (organization_id, id),
  check ((managed_by = 'resource') = (owner_installation is not null and owner_namespace is not null and owner_name is not null)),
  unique (organization_id, name),
  unique (organization_id, owner_installation, owner_namespace, owner_name)
);

create table cardea.provider_credential_versions (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  provider_credential_id uuid not null,
  version integer not null check (version > 0),
  data_key_version integer not null,
  sealed bytea not null check (octet_length(sealed) <= 131072),
  fingerprint text not null check (length(fingerprint) <= 64),
  last_four text check (length(last_four) <= 4),
  created_at timestamptz not null default now(),
  revoked_at timestamptz,
  primary key (organization_id, id),
  unique (organization_id, provider_credential_id, version),
  foreign key (organization_id, provider_credential_id) references cardea.provider_credentials (organization_id, id) on delete cascade
);
create index provider_credential_versions_by_data_key on cardea.provider_credential_versions (organization_id, data_key_version);

create table cardea.provider_credential_usage (
  organization_id uuid not null,
  provider_credential_id uuid not null,
  last_used_at timestamptz not null,
  uses bigint not null default 0,
  primary key (organization_id, provider_credential_id),
  foreign key (organization_id, provider_credential_id) references cardea.provider_credentials (organization_id, id) on delete cascade
);

do $$
declare
  concept text;
begin
  foreach concept in array array['provider_credentials', 'provider_credential_versions', 'provider_credential_usage'] loop
    execute format('alter table cardea.%I enable row level security, force row level security', concept);
    execute format('create policy tenant on cardea.%I using (organization_id = cardea.current_organization()) with check (organization_id = cardea.current_organization())', concept);
  end loop;
end $$;
create trigger changes after insert or update or delete on cardea.provider_credentials
  for each row execute function cardea.record_change('provider_credential', 'organization_id', 'id');
create trigger changes after insert or update or delete on cardea.provider_credential_versions
  for each row execute function cardea.record_change('provider_credential', 'organization_id', 'provider_credential_id');
grant select, insert, update, delete on cardea.provider_credentials, cardea.provider_credential_versions to cardea_operator;
grant select on cardea.provider_credentials, cardea.provider_credential_versions to cardea_auth;
grant select, insert, update on cardea.provider_credential_usage to cardea_auth;
grant select, delete on cardea.provider_credential_usage to cardea_operator;

-- A lost credential too comes back under the id that its resource's status shows, unless a record has it.
create policy spans_tenants on cardea.provider_credentials for select to cardea_index using (true);
grant select (id) on cardea.provider_credentials to cardea_index;
set local role cardea_index;
create or replace function cardea.is_record(id uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from cardea.organizations o where o.id = is_record.id)
    or exists (select from cardea.projects p where p.id = is_record.id)
    or exists (select from cardea.roles r where r.id = is_record.id)
    or exists (select from cardea.role_bindings b where b.id = is_record.id)
    or exists (select from cardea.api_keys k where k.id = is_record.id)
    or exists (select from cardea.api_key_secrets s where s.id = is_record.id)
    or exists (select from cardea.provider_credentials c where c.id = is_record.id);
end;
reset role;

-- What a request needs of its organization to be judged: the mode of provider credentials is in the settings.
grant select (id, name, settings, owner_namespace, deleted_at) on cardea.organizations to cardea_auth;
grant select (organization_id, id, name, settings, deleted_at) on cardea.projects to cardea_auth;

-- The auth service says who asked for what: as itself, about its own organization, and now.
create policy append_auth on cardea.audit_events for insert to cardea_auth
  with check (organization_id = cardea.current_organization() and at between now() and clock_timestamp()
    and ((actor_kind = 'apikey' and action in ('provider_credential.resolved', 'provider_credential.refused'))
      or (actor_kind = 'system' and actor = 'cardea-auth' and action = 'data_key.unwrapped')));
grant insert on cardea.audit_events to cardea_auth;

-- The keys that the installation signs with. They belong to no tenant. private_key is an envelope under the default KEK. A key
-- is published from created_at on, and signs from active_at until a later one of its algorithm does.
create table cardea_keys.signing_keys (
  id text primary key check (id ~ '^[A-Za-z0-9_-]{43}$'),
  installation text not null,
  algorithm text not null check (algorithm in ('EdDSA', 'ES256')),
  public_jwk jsonb not null check (jsonb_typeof(public_jwk) = 'object'),
  private_key jsonb not null check (jsonb_typeof(private_key) = 'object'),
  created_at timestamptz not null,
  active_at timestamptz not null
);
create index signing_keys_by_installation on cardea_keys.signing_keys (installation);
grant select, insert, update, delete on cardea_keys.signing_keys to cardea_operator;
-- What is published, and nothing of the private half.
grant select (id, installation, algorithm, public_jwk, created_at, active_at) on cardea_keys.signing_keys to cardea_auth;

-- What is wrapped by which KEK, organization by organization, for those that resources of an installation declare, retained
-- ones too; of one namespace, or of all when it is null. The operator compares it with what the KEKs are now.
create policy spans_tenants on cardea_keys.data_keys for select to cardea_index using (true);
grant usage on schema cardea_keys to cardea_index;
grant select (organization_id, kek, created_at, retired_at) on cardea_keys.data_keys to cardea_index;
grant select (encryption_key) on cardea.organizations to cardea_index;
create policy spans_tenants on cardea_keys.api_key_envelopes for select to cardea_index using (true);
grant select (organization_id, envelope) on cardea_keys.api_key_envelopes to cardea_index;
create function cardea.wrapped_keys(installation text, namespace text)
  returns table (organization_id uuid, organization_namespace text, organization_name text, encryption_key jsonb,
    provider text, key_id text, version text, wrapped bigint)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.owner_namespace, o.owner_name, o.encryption_key, w.provider, w.key_id, w.version, count(w.provider)
  from cardea.organizations o
  left join (
    select e.organization_id, e.envelope #>> '{kek,provider}' as provider, e.envelope #>> '{kek,id}' as key_id, e.envelope #>> '{kek,version}' as version
    from cardea_keys.api_key_envelopes e
    union all
    select d.organization_id, d.kek ->> 'provider', d.kek ->> 'keyId', d.kek ->> 'version' from cardea_keys.data_keys d
  ) w on w.organization_id = o.id
  where o.owner_installation = wrapped_keys.installation
    and (wrapped_keys.namespace is null or o.owner_namespace = wrapped_keys.namespace)
  group by o.id, w.provider, w.key_id, w.version;
end;

-- Since when the active data key of each organization seals, and whether there are retired ones.
create function cardea.data_key_ages(installation text)
  returns table (organization_id uuid, active_since timestamptz, retired bigint)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, max(d.created_at) filter (where d.retired_at is null), count(d.retired_at)
  from cardea.organizations o
  join cardea_keys.data_keys d on d.organization_id = o.id
  where o.owner_installation = data_key_ages.installation
  group by o.id;
end;
revoke all on function cardea.wrapped_keys(text, text), cardea.data_key_ages(text) from public;
grant execute on function cardea.wrapped_keys(text, text), cardea.data_key_ages(text) to cardea_operator;
alter function cardea.wrapped_keys(text, text) owner to cardea_index;
alter function cardea.data_key_ages(text) owner to cardea_index;
