-- The records that resources declare. Common to all: managed_by says who owns the record, and the owner is the
-- installation, namespace and name of the resource (its kind is the table), never the UID: a restored cluster has
-- new UIDs.

create table cardea.organizations (
  id uuid primary key default uuidv7(),
  name text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  display_name text not null,
  domains text[] not null default '{}',
  owners text[] not null default '{}',
  api_key_prefix text not null default 'ck' check (api_key_prefix ~ '^[a-z][a-z0-9]{1,9}$'),
  management text not null default 'Mixed' check (management in ('GitOps', 'Mixed')),
  settings jsonb not null default '{}',
  managed_by text not null check (managed_by in ('resource', 'api')),
  owner_installation text,
  owner_namespace text,
  owner_name text,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  check ((managed_by = 'resource') = (owner_installation is not null and owner_namespace is not null and owner_name is not null)),
  unique (name),
  unique (owner_installation, owner_namespace, owner_name)
);

create table cardea.projects (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  name text not null,
  display_name text not null,
  description text,
  settings jsonb not null default '{}',
  managed_by text not null check (managed_by in ('resource', 'api')),
  owner_installation text,
  owner_namespace text,
  owner_name text,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (organization_id, id),
  check ((managed_by = 'resource') = (owner_installation is not null and owner_namespace is not null and owner_name is not null)),
  unique (organization_id, name),
  unique (organization_id, owner_installation, owner_namespace, owner_name)
);

create table cardea.roles (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  name text not null,
  description text,
  permissions text[] not null,
  managed_by text not null check (managed_by in ('resource', 'api')),
  owner_installation text,
  owner_namespace text,
  owner_name text,
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  check ((managed_by = 'resource') = (owner_installation is not null and owner_namespace is not null and owner_name is not null)),
  unique (organization_id, name),
  unique (organization_id, owner_installation, owner_namespace, owner_name)
);

-- subjects: [{"kind": "User" | "Group" | "APIKey", "name": …}]
create table cardea.role_bindings (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  name text not null,
  project_id uuid,
  role text not null,
  subjects jsonb not null check (jsonb_typeof(subjects) = 'array'),
  managed_by text not null check (managed_by in ('resource', 'api')),
  owner_installation text,
  owner_namespace text,
  owner_name text,
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  foreign key (organization_id, project_id) references cardea.projects (organization_id, id),
  check ((managed_by = 'resource') = (owner_installation is not null and owner_namespace is not null and owner_name is not null)),
  unique (organization_id, name),
  unique (organization_id, owner_installation, owner_namespace, owner_name)
);

-- rate_limit_window: milliseconds. rotation_handled: the last request to rotate that was answered, kept here so that a
-- crash between the rotation and the status does not rotate twice. deleted_at revokes the key; the row stays when the deletion policy retains it.
create table cardea.api_keys (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  name text not null,
  project_id uuid,
  description text,
  scopes text[] not null default '{}',
  allowed_cidrs text[] not null default '{}',
  allowed_origins text[] not null default '{}',
  rate_limit_requests integer check (rate_limit_requests > 0),
  rate_limit_window bigint check (rate_limit_window > 0),
  rate_limit_burst integer check (rate_limit_burst > 0),
  expires_at timestamptz,
  rotation_handled text,
  managed_by text not null check (managed_by in ('resource', 'api')),
  owner_installation text,
  owner_namespace text,
  owner_name text,
  created_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, project_id) references cardea.projects (organization_id, id),
  check ((rate_limit_requests is null) = (rate_limit_window is null)),
  check ((managed_by = 'resource') = (owner_installation is not null and owner_namespace is not null and owner_name is not null)),
  unique (organization_id, name),
  unique (organization_id, owner_installation, owner_namespace, owner_name)
);

-- The secrets of an API key: one current, and during an overlap the one before it. digest is what a request is
-- judged by. envelope is what was delivered (ciphertext under the key-encryption key), kept so that a Secret that
-- somebody edited can be repaired without minting another; the auth service cannot read it.
create table cardea.api_key_secrets (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  api_key_id uuid not null,
  digest bytea not null check (octet_length(digest) = 32),
  source text not null check (source in ('minted', 'imported')),
  last_four text check (length(last_four) = 4),
  envelope jsonb,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, api_key_id) references cardea.api_keys (organization_id, id) on delete cascade
);
create unique index api_key_secrets_live_digest on cardea.api_key_secrets (digest) where revoked_at is null;
create index api_key_secrets_by_key on cardea.api_key_secrets (organization_id, api_key_id);

-- Digests of keys that were minted and are over. A backup of the resource, its status and its Secret must not bring one
-- back. Outlives the key and its organization.
create table cardea.revoked_digests (
  digest bytea primary key check (octet_length(digest) = 32),
  revoked_at timestamptz not null default now()
);
grant select, insert on cardea.revoked_digests to cardea_index;

-- Whether a key of this digest is over for good.
create function cardea.is_revoked_digest(digest bytea) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from cardea.revoked_digests r where r.digest = is_revoked_digest.digest);
end;
revoke all on function cardea.is_revoked_digest(bytea) from public;
grant execute on function cardea.is_revoked_digest(bytea) to cardea_operator;
alter function cardea.is_revoked_digest(bytea) owner to cardea_index;

-- A row that a program removes is a key that is over. One that somebody removes by hand is drift, and is repaired.
create function cardea.remember_revoked() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  if old.source = 'minted' and nullif(current_setting('cardea.actor', true), '') is not null then
    insert into cardea.revoked_digests (digest) values (old.digest) on conflict do nothing;
  end if;
  return null;
end $$;
create trigger revoked after delete on cardea.api_key_secrets
  for each row execute function cardea.remember_revoked();
revoke all on function cardea.remember_revoked() from public;
alter function cardea.remember_revoked() owner to cardea_index;

create table cardea.api_key_usage (
  organization_id uuid not null,
  api_key_id uuid not null,
  last_used_at timestamptz not null,
  uses bigint not null default 0,
  primary key (organization_id, api_key_id),
  foreign key (organization_id, api_key_id) references cardea.api_keys (organization_id, id) on delete cascade
);

do $$
declare
  concept text;
begin
  foreach concept in array array['projects', 'roles', 'role_bindings', 'api_keys', 'api_key_secrets', 'api_key_usage'] loop
    execute format('alter table cardea.%I enable row level security, force row level security', concept);
    execute format('create policy tenant on cardea.%I using (organization_id = cardea.current_organization()) with check (organization_id = cardea.current_organization())', concept);
  end loop;
end $$;
alter table cardea.organizations enable row level security, force row level security;
create policy tenant on cardea.organizations
  using (id = cardea.current_organization()) with check (id = cardea.current_organization());

-- Trigger arguments: the concept, the column of the organization, the column of the record that a reader reloads.
create trigger changes after insert or update or delete on cardea.organizations
  for each row execute function cardea.record_change('organization', 'id', 'id');
create trigger changes after insert or update or delete on cardea.projects
  for each row execute function cardea.record_change('project', 'organization_id', 'id');
create trigger changes after insert or update or delete on cardea.roles
  for each row execute function cardea.record_change('role', 'organization_id', 'id');
create trigger changes after insert or update or delete on cardea.role_bindings
  for each row execute function cardea.record_change('role_binding', 'organization_id', 'id');
create trigger changes after insert or update or delete on cardea.api_keys
  for each row execute function cardea.record_change('api_key', 'organization_id', 'id');
create trigger changes after insert or update or delete on cardea.api_key_secrets
  for each row execute function cardea.record_change('api_key', 'organization_id', 'api_key_id');

grant select, insert, update, delete on
  cardea.organizations, cardea.projects, cardea.roles, cardea.role_bindings, cardea.api_keys, cardea.api_key_secrets
  to cardea_operator;
grant select, insert, update on cardea.api_key_usage to cardea_auth;
grant select (organization_id, id) on cardea.api_keys to cardea_auth;
grant delete on cardea.api_key_usage to cardea_operator;

-- Adds up what an auth replica counted: {organization: [[key, last use in seconds since 1970, uses], …]}. It runs as its
-- caller, one tenant after another, in an order that two replicas share, so that they cannot wait for each other in a
-- circle. Keys that are gone meanwhile are passed over.
create function cardea.record_api_key_usage(entries jsonb) returns void
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  tenant uuid;
  used jsonb;
begin
  for tenant, used in select e.key::uuid, e.value from jsonb_each(entries) e order by e.key loop
    perform set_config('cardea.organization_id', tenant::text, true);
    insert into cardea.api_key_usage as u (organization_id, api_key_id, last_used_at, uses)
    select tenant, k.id, to_timestamp((use ->> 1)::float8), (use ->> 2)::bigint
    from jsonb_array_elements(used) use
    join cardea.api_keys k on k.organization_id = tenant and k.id = (use ->> 0)::uuid
    order by k.id
    on conflict (organization_id, api_key_id) do update
      set last_used_at = greatest(u.last_used_at, excluded.last_used_at), uses = u.uses + excluded.uses;
  end loop;
end $$;
revoke all on function cardea.record_api_key_usage(jsonb) from public;
grant execute on function cardea.record_api_key_usage(jsonb) to cardea_auth;
