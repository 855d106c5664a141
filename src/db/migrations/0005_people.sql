-- People: accounts, passwords, sessions, invitations, and the mail that goes with them. Nothing here is a secret at rest:
-- of every token there is a digest, of every password an argon2id hash, and a mail is queued without the token that it
-- will carry, which is minted when it is sent.

-- Before which moment no session of an organization counts: it never goes back, whoever writes, because what was revoked stays revoked;
-- nor is it ahead of this server's clock, by which sessions begin, because nobody could sign in until then.
alter table cardea.organizations add column sessions_revoked_before timestamptz;
create function cardea.keep_sessions_revoked() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if new.sessions_revoked_before > clock_timestamp() then
    new.sessions_revoked_before := clock_timestamp();
  end if;
  if tg_op = 'UPDATE' then
    new.sessions_revoked_before := greatest(old.sessions_revoked_before, new.sessions_revoked_before);
  end if;
  return new;
end $$;
revoke all on function cardea.keep_sessions_revoked() from public;
create trigger keep_sessions_revoked before insert or update of sessions_revoked_before on cardea.organizations
  for each row execute function cardea.keep_sessions_revoked();

-- A person in one organization. The same address in two organizations is two users. email is canonical (domain/email.ts).
-- groups: of the identity provider, by its last word. sessions_revoked_before: what began before is over.
create table cardea.users (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  email text not null check (email = lower(email) and length(email) between 3 and 254),
  name text not null default '' check (length(name) <= 120),
  groups text[] not null default '{}',
  email_verified_at timestamptz,
  suspended_at timestamptz,
  sessions_revoked_before timestamptz,
  last_signed_in_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, email)
);
create index users_by_id on cardea.users (id);

-- The current password of a user, and former ones for as long as they may not come again.
create table cardea.passwords (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  user_id uuid not null,
  hash text not null check (hash like '$argon2id$%' and length(hash) <= 256),
  created_at timestamptz not null default now(),
  replaced_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, user_id) references cardea.users (organization_id, id) on delete cascade
);
create unique index passwords_current on cardea.passwords (organization_id, user_id) where replaced_at is null;

-- Browsers from which a user signed in before, by the digest of a cookie; several people may use one. Their failures are
-- counted apart, so that others' failures do not lock the person out.
create table cardea.devices (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  user_id uuid not null,
  digest bytea not null check (octet_length(digest) = 32),
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, user_id, digest),
  foreign key (organization_id, user_id) references cardea.users (organization_id, id) on delete cascade
);

-- kind browser: digest is that of the cookie's text. kind token: it is that of the session's own id, as the access tokens
-- carry it, and the refresh tokens are rows of their own. methods: RFC 8176. idle_timeout: seconds.
create table cardea.sessions (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  user_id uuid not null,
  kind text not null check (kind in ('browser', 'token')),
  digest bytea not null check (octet_length(digest) = 32),
  methods text[] not null,
  authenticated_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  idle_timeout integer not null check (idle_timeout > 0),
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_for text check (length(revoked_for) <= 64),
  address text check (length(address) <= 64),
  user_agent text check (length(user_agent) <= 512),
  device_name text not null default '' check (length(device_name) <= 120),
  device_id uuid,
  primary key (organization_id, id),
  foreign key (organization_id, user_id) references cardea.users (organization_id, id) on delete cascade
);
create unique index sessions_live_digest on cardea.sessions (digest) where revoked_at is null;
create index sessions_by_id on cardea.sessions (id);
create index sessions_by_user on cardea.sessions (organization_id, user_id);

-- A family is a session: each use of a token makes the next one, and a second use of one ends the session.
create table cardea.refresh_tokens (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  session_id uuid not null,
  digest bytea not null check (octet_length(digest) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (organization_id, id),
  unique (organization_id, digest),
  foreign key (organization_id, session_id) references cardea.sessions (organization_id, id) on delete cascade
);
create index refresh_tokens_by_session on cardea.refresh_tokens (organization_id, session_id);

-- Access tokens that were revoked one by one, until they would have expired.
create table cardea.revoked_access_tokens (
  organization_id uuid not null,
  jti uuid not null,
  expires_at timestamptz not null,
  revoked_at timestamptz not null default now(),
  primary key (organization_id, jti)
);

-- invited_by: a user's id, or null where a resource names an owner. renewals: how often such a one began anew by itself.
create table cardea.invitations (
  organization_id uuid not null references cardea.organizations (id),
  id uuid not null default uuidv7(),
  email text not null check (email = lower(email) and length(email) between 3 and 254),
  role text not null check (length(role) <= 63),
  project_id uuid,
  invited_by uuid,
  renewals integer not null default 0,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  revoked_at timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, project_id) references cardea.projects (organization_id, id)
);
create unique index invitations_open on cardea.invitations (organization_id, email) where accepted_at is null and revoked_at is null;

-- Organizations that somebody registered. organization_id is the one that it will have. What was completed stays for a day, without its
-- password, to be counted. network: SHA-256 of what stands for the client, as with sign_in_failures.
create table cardea.registrations (
  organization_id uuid primary key,
  name text not null check (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  display_name text not null check (length(display_name) between 1 and 120),
  email text not null check (email = lower(email) and length(email) between 3 and 254),
  user_name text not null default '' check (length(user_name) <= 120),
  password_hash text check (password_hash like '$argon2id$%' and length(password_hash) <= 256),
  network bytea check (octet_length(network) = 32),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  completed_at timestamptz,
  check ((password_hash is null) = (completed_at is not null))
);
create index registrations_by_email on cardea.registrations (email, created_at);
create index registrations_by_network on cardea.registrations (network, created_at);

-- What can be used once, by its digest. subject_id: the user, invitation or registration that it is for. A code is guessable, and
-- so is the password that verifying an address takes: attempts are counted. A code is found by its own id.
create table cardea.one_time_tokens (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  purpose text not null check (purpose in ('registration', 'invitation', 'email_verification', 'password_reset', 'email_code')),
  subject_id uuid not null,
  digest bytea not null check (octet_length(digest) = 32),
  attempts integer not null default 0,
  -- Of what a browser keeps while a code is on its way: the address that was typed, and the known device that asked.
  email text check (length(email) <= 254),
  device_id uuid,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (organization_id, id)
);
create index one_time_tokens_by_digest on cardea.one_time_tokens (organization_id, digest);
create index one_time_tokens_by_subject on cardea.one_time_tokens (organization_id, subject_id, purpose);

-- Failed sign-ins. subject: SHA-256 of the account's address (code: of its wrong codes alone), of the device's id, or of the client's
-- address or network.
create table cardea.sign_in_failures (
  organization_id uuid not null,
  kind text not null check (kind in ('account', 'code', 'device', 'address')),
  subject bytea not null check (octet_length(subject) = 32),
  failures integer not null default 0,
  failed_at timestamptz not null default now(),
  locked_until timestamptz,
  primary key (organization_id, kind, subject)
);

-- The delivery queue. arguments: what the template says, without any secret. subject_id: as above.
create table cardea.mails (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  template text not null check (template ~ '^[a-z]+(_[a-z]+)*$'),
  recipient text not null check (length(recipient) between 3 and 254),
  subject_id uuid,
  arguments jsonb not null default '{}' check (jsonb_typeof(arguments) = 'object'),
  state text not null default 'queued' check (state in ('queued', 'sent', 'failed', 'superseded')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  last_error text check (length(last_error) <= 500),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  sent_at timestamptz,
  primary key (organization_id, id)
);
create index mails_due on cardea.mails (next_attempt_at) where state = 'queued';

do $$
declare
  concept text;
begin
  foreach concept in array array['users', 'passwords', 'devices', 'sessions', 'refresh_tokens', 'revoked_access_tokens', 'invitations',
    'registrations', 'one_time_tokens', 'sign_in_failures', 'mails'] loop
    execute format('alter table cardea.%I enable row level security, force row level security', concept);
    execute format('create policy tenant on cardea.%I using (organization_id = cardea.current_organization()) with check (organization_id = cardea.current_organization())', concept);
    execute format('grant select, insert, update, delete on cardea.%I to cardea_auth', concept);
  end loop;
end $$;

create trigger changes after insert or delete or update of email, groups, email_verified_at, suspended_at, sessions_revoked_before on cardea.users
  for each row execute function cardea.record_change('user', 'organization_id', 'id');
-- Not when it was last seen: every request of a company would be a change.
create trigger changes after update of digest, expires_at, idle_timeout, revoked_at on cardea.sessions
  for each row execute function cardea.record_change('session', 'organization_id', 'id');
-- A session that begins wakes nobody, or a storm of sign-ins would keep every replica looking: whoever comes with it before the next
-- look is looked up.
create function cardea.record_beginning() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into cardea.changes (organization_id, concept, record_id, actor)
  values (new.organization_id, 'session', new.id, nullif(current_setting('cardea.actor', true), ''));
  return null;
end $$;
create trigger beginnings after insert on cardea.sessions for each row execute function cardea.record_beginning();
revoke all on function cardea.record_beginning() from public;
alter function cardea.record_beginning() owner to cardea_index;
-- Nor when one goes that is over: no replica lets anybody in with it, and a great many go at once.
create trigger removals after delete on cardea.sessions
  for each row when (old.revoked_at is null and old.expires_at > now())
  execute function cardea.record_change('session', 'organization_id', 'id');
create trigger changes after insert or delete on cardea.revoked_access_tokens
  for each row execute function cardea.record_change('access_token', 'organization_id', 'jti');

-- The auth service makes organizations (self-service) and gives roles, but touches nothing that a resource declares.
grant select (display_name, domains, owners, management, managed_by, created_at, sessions_revoked_before) on cardea.organizations to cardea_auth;
grant insert (id, name, display_name, domains, owners, settings, managed_by) on cardea.organizations to cardea_auth;
grant select on cardea.roles to cardea_auth;
grant select (display_name) on cardea.projects to cardea_auth;
grant select, insert, update, delete on cardea.role_bindings to cardea_auth;
create policy made_at_run_time on cardea.organizations as restrictive for insert to cardea_auth with check (managed_by = 'api');
create policy insert_at_run_time on cardea.role_bindings as restrictive for insert to cardea_auth with check (managed_by = 'api');
create policy update_at_run_time on cardea.role_bindings as restrictive for update to cardea_auth using (managed_by = 'api') with check (managed_by = 'api');
create policy delete_at_run_time on cardea.role_bindings as restrictive for delete to cardea_auth using (managed_by = 'api');

-- The operator invites the owners that a resource names, counts people against the quota, and purges.
grant select (organization_id, id, email, suspended_at), delete on cardea.users to cardea_operator;
grant select, insert, update, delete on cardea.invitations to cardea_operator;
grant insert on cardea.mails to cardea_operator;
grant select (organization_id, id, template, recipient, state, created_at), delete on cardea.mails to cardea_operator;
grant select (organization_id), delete on cardea.one_time_tokens, cardea.sign_in_failures, cardea.revoked_access_tokens, cardea.registrations to cardea_operator;

-- What people do, each as themselves; and what the service does for whoever is not known yet.
create policy append_people on cardea.audit_events for insert to cardea_auth
  with check (organization_id = cardea.current_organization() and at between now() and clock_timestamp()
    and (actor_kind = 'user' or (actor_kind = 'system' and actor = 'cardea-auth'))
    and (action ~ '^(user|session|invitation|access_token|mail)\.' or action = 'organization.registered'));

-- The index of credentials knows sessions and who they are of.
do $$
declare
  concept text;
begin
  foreach concept in array array['users', 'sessions', 'revoked_access_tokens', 'invitations', 'mails', 'registrations', 'one_time_tokens', 'sign_in_failures', 'refresh_tokens', 'devices'] loop
    execute format('create policy spans_tenants on cardea.%I to cardea_index using (true) with check (true)', concept);
  end loop;
end $$;
grant select (organization_id, id, email, groups, email_verified_at, suspended_at, sessions_revoked_before) on cardea.users to cardea_index;
grant select (organization_id, id, user_id, kind, digest, methods, authenticated_at, created_at, last_seen_at, idle_timeout, expires_at, revoked_at, address, device_name)
  on cardea.sessions to cardea_index;
grant update (last_seen_at), delete on cardea.sessions to cardea_index;
grant select, delete on cardea.revoked_access_tokens to cardea_index;
grant select (organization_id, id, state, next_attempt_at, created_at, expires_at), update (next_attempt_at), delete on cardea.mails to cardea_index;
grant select (organization_id, email, network, created_at, expires_at), delete on cardea.registrations to cardea_index;
grant select (organization_id, id, expires_at), delete on cardea.one_time_tokens, cardea.refresh_tokens to cardea_index;
grant select (organization_id, kind, subject, failed_at, locked_until), delete on cardea.sign_in_failures to cardea_index;
grant select (organization_id, id, last_seen_at), delete on cardea.devices to cardea_index;
grant select (organization_id, id, invited_by, expires_at, accepted_at, revoked_at), delete on cardea.invitations to cardea_index;
grant select (display_name, domains, owners, settings, sessions_revoked_before) on cardea.organizations to cardea_index;

-- Sessions that are not over, with whoever they are of. An idle one is given out for a while longer: when it was last seen is
-- written down late, and each replica judges by itself.
create view cardea.live_sessions as
  select s.organization_id, s.id, s.user_id, s.kind, s.digest, s.methods, s.authenticated_at, s.created_at, s.last_seen_at, s.idle_timeout, s.expires_at,
    u.email, u.groups, u.suspended_at is null and u.email_verified_at is not null as active, u.sessions_revoked_before
  from cardea.sessions s
  join cardea.users u on (u.organization_id, u.id) = (s.organization_id, s.user_id)
  where s.revoked_at is null and s.expires_at > now()
    and s.last_seen_at + make_interval(secs => s.idle_timeout) > now() - interval '5 minutes';
alter view cardea.live_sessions owner to cardea_index;

create function cardea.index_sessions(ids uuid[])
  returns setof cardea.live_sessions
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select * from cardea.live_sessions s where s.id = any (ids);
end;

-- All sessions, a page at a time: those with an id after `after`, in that order, at most `page`.
create function cardea.index_sessions_page(after uuid, page integer)
  returns setof cardea.live_sessions
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select * from cardea.live_sessions s
  where after is null or s.id > after
  order by s.id limit page;
end;

create function cardea.find_sessions_by_digest(digests bytea[])
  returns setof cardea.live_sessions
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select * from cardea.live_sessions s where s.digest = any (digests);
end;

create function cardea.index_users(ids uuid[])
  returns table (organization_id uuid, id uuid, email text, groups text[], active boolean, sessions_revoked_before timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select u.organization_id, u.id, u.email, u.groups, u.suspended_at is null and u.email_verified_at is not null, u.sessions_revoked_before
  from cardea.users u where u.id = any (ids);
end;

-- Those that were revoked, all of them when ids is null. They stay for a while after their end: a replica's clock may be late.
create function cardea.index_revoked_access_tokens(ids uuid[])
  returns table (organization_id uuid, jti uuid, expires_at timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select t.organization_id, t.jti, t.expires_at from cardea.revoked_access_tokens t
  where ids is null or t.jti = any (ids);
end;

-- Writes down when sessions were last seen: [[session, seconds since 1970], ...]. Never back, and nothing of one that is over.
create function cardea.record_session_activity(entries jsonb) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update cardea.sessions s set last_seen_at = greatest(s.last_seen_at, least(to_timestamp((e.entry ->> 1)::float8), now()))
  from (select entry, (entry ->> 0)::uuid as id from jsonb_array_elements(entries) entry) e
  where s.id = e.id and s.revoked_at is null;
end;

-- From where sessions that are not over were used last, as far as that is written down.
create function cardea.session_places(ids uuid[])
  returns table (organization_id uuid, id uuid, kind text, address text, device_name text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select s.organization_id, s.id, s.kind, s.address, s.device_name from cardea.sessions s
  where s.id = any (ids) and s.revoked_at is null and s.expires_at > now();
end;

-- Takes mails that are due, and keeps others from them for `seconds`. What is not reported until then comes again.
create function cardea.claim_mails(seconds integer, most integer)
  returns table (organization_id uuid, id uuid)
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  update cardea.mails m set next_attempt_at = now() + make_interval(secs => claim_mails.seconds)
  from (
    select d.organization_id, d.id from cardea.mails d
    where d.state = 'queued' and d.next_attempt_at <= now()
    order by d.next_attempt_at limit claim_mails.most for update skip locked
  ) due
  where (m.organization_id, m.id) = (due.organization_id, due.id)
  returning m.organization_id, m.id;
end;

-- How many mails wait, and since when the eldest does.
create function cardea.mail_backlog() returns table (queued bigint, oldest timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select count(*), min(m.created_at) from cardea.mails m where m.state = 'queued';
end;

-- How often somebody asked for an organization in the last seconds, with an address and from a network.
create function cardea.recent_registrations(email text, network bytea, seconds integer) returns table (by_email bigint, by_network bigint)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select
    (select count(*) from cardea.registrations r
     where r.email = recent_registrations.email and r.created_at > now() - make_interval(secs => recent_registrations.seconds)),
    (select count(*) from cardea.registrations r
     where r.network = recent_registrations.network and r.created_at > now() - make_interval(secs => recent_registrations.seconds));
end;

-- Forgets what is over and of no use to anybody, at most so many rows: whoever asks comes again until nothing went. Answers how many
-- did. `keep`: how long ended sessions and invitations, and delivered mails, stay to be looked at.
create function cardea.prune_people(keep interval, most bigint) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  dropped bigint := 0;
  went bigint;
  rule text[];
begin
  -- Whatever is asked for, nothing goes that is not over: a time to keep that is negative would end live sessions.
  keep := greatest(keep, interval '1 day');
  -- One replica at a time; the others have nothing to do.
  if not pg_try_advisory_xact_lock(hashtextextended('cardea.prune_people', 0)) then
    return 0;
  end if;
  -- Refresh tokens before sessions, which take along what is left of them. The invitation of an owner whom a resource names stays while
  -- it is pending: without it, they would be invited again and again.
  foreach rule slice 1 in array array[
    ['registrations', 'organization_id', $sql$expires_at < now() - interval '1 hour'$sql$],
    ['one_time_tokens', 'organization_id, id', $sql$expires_at < now() - interval '1 day'$sql$],
    ['refresh_tokens', 'organization_id, id', $sql$expires_at < now() - interval '1 day'$sql$],
    ['revoked_access_tokens', 'organization_id, jti', $sql$expires_at < now() - interval '1 hour'$sql$],
    ['sign_in_failures', 'organization_id, kind, subject', $sql$failed_at < now() - interval '1 day' and coalesce(locked_until < now(), true)$sql$],
    ['devices', 'organization_id, id', $sql$last_seen_at < now() - interval '400 days'$sql$],
    ['sessions', 'organization_id, id', $sql$least(expires_at, coalesce(revoked_at, last_seen_at + make_interval(secs => idle_timeout))) < now() - $1$sql$],
    ['invitations', 'organization_id, id', $sql$least(expires_at, accepted_at, revoked_at) < now() - $1 and (invited_by is not null or accepted_at is not null or revoked_at is not null)$sql$],
    ['mails', 'organization_id, id', $sql$(state <> 'queued' or expires_at < now()) and created_at < now() - $1$sql$]
  ] loop
    execute format('delete from cardea.%1$I where (%2$s) in (select %2$s from cardea.%1$I where %3$s limit $2)', rule[1], rule[2], rule[3])
      using keep, most - dropped;
    get diagnostics went = row_count;
    dropped := dropped + went;
    exit when dropped >= most;
  end loop;
  return dropped;
end $$;

-- The index of organizations knows by which domains their people come, who the resource names as owners, which origins may
-- ask from a browser, and before which moment no session counts.
drop function cardea.index_organizations(uuid[]);
create function cardea.index_organizations(ids uuid[])
  returns table (id uuid, name text, display_name text, domains text[], owners text[], origins text[], sessions_revoked_before timestamptz)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select o.id, o.name, o.display_name, o.domains, o.owners,
    coalesce((select array_agg(v) from jsonb_array_elements_text(
      case jsonb_typeof(o.settings -> 'origins') when 'array' then o.settings -> 'origins' else '[]' end) v), '{}'),
    o.sessions_revoked_before
  from cardea.organizations o
  where o.deleted_at is null and (ids is null or o.id = any (ids));
end;

revoke all on function cardea.index_sessions(uuid[]), cardea.index_sessions_page(uuid, integer), cardea.find_sessions_by_digest(bytea[]),
  cardea.index_users(uuid[]), cardea.index_revoked_access_tokens(uuid[]), cardea.record_session_activity(jsonb), cardea.session_places(uuid[]),
  cardea.claim_mails(integer, integer), cardea.mail_backlog(), cardea.recent_registrations(text, bytea, integer), cardea.prune_people(interval, bigint),
  cardea.index_organizations(uuid[]) from public;
grant execute on function cardea.index_sessions(uuid[]), cardea.index_sessions_page(uuid, integer), cardea.find_sessions_by_digest(bytea[]),
  cardea.index_users(uuid[]), cardea.index_revoked_access_tokens(uuid[]), cardea.record_session_activity(jsonb), cardea.session_places(uuid[]),
  cardea.claim_mails(integer, integer), cardea.mail_backlog(), cardea.recent_registrations(text, bytea, integer), cardea.prune_people(interval, bigint),
  cardea.index_organizations(uuid[]) to cardea_auth;
do $$
declare
  signature text;
begin
  foreach signature in array array['index_sessions(uuid[])', 'index_sessions_page(uuid, integer)', 'find_sessions_by_digest(bytea[])', 'index_users(uuid[])',
    'index_revoked_access_tokens(uuid[])', 'record_session_activity(jsonb)', 'session_places(uuid[])', 'claim_mails(integer, integer)', 'mail_backlog()', 'recent_registrations(text, bytea, integer)', 'prune_people(interval, bigint)',
    'index_organizations(uuid[])'] loop
    execute format('alter function cardea.%s owner to cardea_index', signature);
  end loop;
end $$;

-- Roles are given to people and groups too.
set local role cardea_index;
create or replace function cardea.index_role_bindings(ids uuid[], organizations uuid[])
  returns table (organization_id uuid, id uuid, project_id uuid, role text, subjects jsonb)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select b.organization_id, b.id, b.project_id, b.role, b.subjects
  from cardea.role_bindings b
  where (ids is null or b.id = any (ids))
    and (organizations is null or b.organization_id = any (organizations));
end;
reset role;
-- The services' own signing key is opened by the auth service, which signs access tokens.
grant select (private_key) on cardea_keys.signing_keys to cardea_auth;
