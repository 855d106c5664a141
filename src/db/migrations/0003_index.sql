-- What spans tenants, and all of it: the operator's look-up of an owner, and the index of credentials that the auth
-- service decides with. The functions give out digests, limits and identities, never an envelope, a setting or a person.

do $$
declare
  concept text;
begin
  foreach concept in array array['organizations', 'projects', 'roles', 'role_bindings', 'api_keys', 'api_key_secrets'] loop
    execute format('create policy spans_tenants on cardea.%I for select to cardea_index using (true)', concept);
  end loop;
end $$;
grant select (id, name, managed_by, owner_installation, owner_namespace, owner_name, deleted_at) on cardea.organizations to cardea_index;
grant select (organization_id, id, name, deleted_at) on cardea.projects to cardea_index;
grant select (organization_id, id, name, permissions) on cardea.roles to cardea_index;
grant select (organization_id, id, project_id, role, subjects) on cardea.role_bindings to cardea_index;
grant select (organization_id, id, name, project_id, scopes, allowed_cidrs, allowed_origins, rate_limit_requests,
  rate_limit_window, rate_limit_burst, expires_at, created_at, deleted_at) on cardea.api_keys to cardea_index;
grant select (organization_id, id, api_key_id, digest, source, created_at, expires_at, revoked_at) on cardea.api_key_secrets to cardea_index;

-- The organization that a resource owns, retained ones too.
create function cardea.find_organization(installation text, namespace text, name text)
  returns table (id uuid, deleted_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.deleted_at from cardea.organizations o
  -- A bare name would be the column, and every organization of the namespace would be found.
  where (o.owner_installation, o.owner_namespace, o.owner_name)
    = (find_organization.installation, find_organization.namespace, find_organization.name);
end;

-- Who has an organization's name.
create function cardea.organization_by_name(name text)
  returns table (id uuid, managed_by text, owner_installation text, owner_namespace text, owner_name text, deleted_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.managed_by, o.owner_installation, o.owner_namespace, o.owner_name, o.deleted_at
  from cardea.organizations o where o.name = organization_by_name.name;
end;

-- Whether a record of any organization has this id. A lost record comes back under the id that its resource's status
-- shows, and a status can be written by others: it must not bring in an id of another tenant's.
create function cardea.is_record(id uuid) returns boolean
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select exists (select from cardea.organizations o where o.id = is_record.id)
    or exists (select from cardea.projects p where p.id = is_record.id)
    or exists (select from cardea.roles r where r.id = is_record.id)
    or exists (select from cardea.role_bindings b where b.id = is_record.id)
    or exists (select from cardea.api_keys k where k.id = is_record.id)
    or exists (select from cardea.api_key_secrets s where s.id = is_record.id);
end;

-- The functions below take the ids to load, or null for all; and the organizations to keep to, or null for any.
create function cardea.index_organizations(ids uuid[])
  returns table (id uuid, name text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name from cardea.organizations o
  where o.deleted_at is null and (ids is null or o.id = any (ids));
end;

create function cardea.index_projects(ids uuid[], organizations uuid[])
  returns table (organization_id uuid, id uuid, name text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select p.organization_id, p.id, p.name from cardea.projects p
  where p.deleted_at is null and (ids is null or p.id = any (ids))
    and (organizations is null or p.organization_id = any (organizations));
end;

create function cardea.index_roles(ids uuid[], organizations uuid[])
  returns table (organization_id uuid, id uuid, name text, permissions text[])
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select r.organization_id, r.id, r.name, r.permissions from cardea.roles r
  where (ids is null or r.id = any (ids))
    and (organizations is null or r.organization_id = any (organizations));
end;

create function cardea.index_role_bindings(ids uuid[], organizations uuid[])
  returns table (organization_id uuid, id uuid, project_id uuid, role text, subjects jsonb)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  -- Users and groups are people, and no decision about a key needs them.
  select b.organization_id, b.id, b.project_id, b.role,
    coalesce((select jsonb_agg(s) from jsonb_array_elements(b.subjects) s where s ->> 'kind' = 'APIKey'), '[]')
  from cardea.role_bindings b
  where (ids is null or b.id = any (ids))
    and (organizations is null or b.organization_id = any (organizations));
end;

-- A row for each live secret of a live key; several rows of one key during an overlap. Expired ones are left out.
create view cardea.live_api_keys as
  select k.organization_id, k.id, k.name, k.project_id, k.scopes, k.allowed_cidrs, k.allowed_origins,
    k.rate_limit_requests, k.rate_limit_window, k.rate_limit_burst,
    s.id as secret_id, s.digest, s.source, k.created_at,
    least(k.expires_at, s.expires_at) as expires_at
  from cardea.api_keys k
  join cardea.api_key_secrets s on (s.organization_id, s.api_key_id) = (k.organization_id, k.id)
  where k.deleted_at is null and s.revoked_at is null
    and coalesce(least(k.expires_at, s.expires_at) > now(), true);
alter view cardea.live_api_keys owner to cardea_index;

-- Keys by their own id.
create function cardea.index_api_keys(ids uuid[])
  returns setof cardea.live_api_keys
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select * from cardea.live_api_keys k where k.id = any (ids);
end;

-- All keys, a page at a time: secrets with an id after `after`, in that order, at most `page`.
create function cardea.index_api_keys_page(after uuid, page integer)
  returns setof cardea.live_api_keys
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select * from cardea.live_api_keys k
  where after is null or k.secret_id > after
  order by k.secret_id limit page;
end;

create function cardea.find_api_keys_by_digest(digests bytea[])
  returns setof cardea.live_api_keys
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select * from cardea.live_api_keys k where k.digest = any (digests);
end;

create index api_key_secrets_by_id on cardea.api_key_secrets (id);
create index api_keys_by_id on cardea.api_keys (id);
create index projects_by_id on cardea.projects (id);
create index roles_by_id on cardea.roles (id);
create index role_bindings_by_id on cardea.role_bindings (id);

-- Rights before owners: afterwards PostgreSQL would only warn that nothing was granted or revoked.
revoke all on function cardea.find_organization(text, text, text), cardea.organization_by_name(text), cardea.is_record(uuid),
  cardea.index_organizations(uuid[]), cardea.index_projects(uuid[], uuid[]), cardea.index_roles(uuid[], uuid[]),
  cardea.index_role_bindings(uuid[], uuid[]), cardea.index_api_keys(uuid[]), cardea.index_api_keys_page(uuid, integer),
  cardea.find_api_keys_by_digest(bytea[]) from public;
grant execute on function cardea.find_organization(text, text, text), cardea.organization_by_name(text), cardea.is_record(uuid) to cardea_operator;
grant execute on function cardea.index_organizations(uuid[]), cardea.index_projects(uuid[], uuid[]), cardea.index_roles(uuid[], uuid[]),
  cardea.index_role_bindings(uuid[], uuid[]), cardea.index_api_keys(uuid[]), cardea.index_api_keys_page(uuid, integer),
  cardea.find_api_keys_by_digest(bytea[]) to cardea_auth;

do $$
declare
  signature text;
begin
  foreach signature in array array['find_organization(text, text, text)', 'organization_by_name(text)', 'is_record(uuid)', 'index_organizations(uuid[])',
    'index_projects(uuid[], uuid[])', 'index_roles(uuid[], uuid[])', 'index_role_bindings(uuid[], uuid[])', 'index_api_keys(uuid[])',
    'index_api_keys_page(uuid, integer)', 'find_api_keys_by_digest(bytea[])'] loop
    execute format('alter function cardea.%s owner to cardea_index', signature);
  end loop;
end $$;
