-- The ground: tenancy, leadership, the change feed and the audit trail.
-- Runs as cardea_migrate, which owns the schema. Row-level security is forced, so that not even the owner reads
-- a tenant's rows without naming the tenant; only cardea_index, which cannot log in, spans tenants, and only
-- through the functions that it owns.

-- The tenant of this transaction; null when none was set, which matches no row.
create function cardea.current_organization() returns uuid
  language sql stable parallel safe
  return nullif(current_setting('cardea.organization_id', true), '')::uuid;

-- Who leads an installation. An operator's transaction takes a share lock on its row and checks the epoch, so a
-- paused ex-leader that wakes up cannot commit.
create table cardea.leadership (
  installation text primary key check (length(installation) between 1 and 63),
  epoch bigint not null check (epoch > 0),
  holder text not null check (length(holder) <= 253),
  acquired_at timestamptz not null default now()
);
-- A share lock takes the right to update some column; the epoch itself is moved by the function alone.
grant select, update (holder) on cardea.leadership to cardea_operator;

-- Takes the leadership of an installation; answers its new epoch. Waits for the transactions of the leader before.
create function cardea.take_leadership(installation text, holder text) returns bigint
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  insert into cardea.leadership as l (installation, epoch, holder) values (take_leadership.installation, 1, take_leadership.holder)
  on conflict (installation) do update set epoch = l.epoch + 1, holder = excluded.holder, acquired_at = now()
  returning epoch;
end;
revoke all on function cardea.take_leadership(text, text) from public;
grant execute on function cardea.take_leadership(text, text) to cardea_operator;

-- What happened. Appended in the transaction of the change itself; nobody may update or delete.
create table cardea.audit_events (
  organization_id uuid not null,
  id uuid not null default uuidv7(),
  at timestamptz not null default clock_timestamp(),
  actor_kind text not null check (actor_kind in ('operator', 'user', 'apikey', 'system')),
  actor text not null check (length(actor) <= 512),
  action text not null check (action ~ '^[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*$'),
  target_kind text not null,
  target_id uuid not null,
  target_name text not null,
  request_id text check (length(request_id) <= 128),
  detail jsonb not null default '{}',
  primary key (organization_id, id)
);
alter table cardea.audit_events enable row level security, force row level security;
create policy tenant on cardea.audit_events for select
  using (organization_id = cardea.current_organization());
-- A program says what it did, as itself and now: it cannot write another's deeds or another day's.
create policy append on cardea.audit_events for insert to cardea_operator
  with check (organization_id = cardea.current_organization() and actor_kind = 'operator' and at between now() and clock_timestamp());
grant select, insert on cardea.audit_events to cardea_operator;

-- The change feed. xid is what makes it safe: identity values are handed out before commit, so a reader that
-- remembers only the highest id loses a slower transaction. Readers keep their snapshot instead.
create table cardea.changes (
  id bigint generated always as identity primary key,
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  organization_id uuid not null,
  concept text not null,
  record_id uuid not null,
  owner_installation text,
  owner_namespace text,
  owner_name text,
  actor text
);
create index changes_by_xid on cardea.changes (xid, id);
alter table cardea.changes enable row level security, force row level security;
create policy spans_tenants on cardea.changes to cardea_index using (true) with check (true);
grant select, insert, delete on cardea.changes to cardea_index;

-- One row. The epoch differs after a restore into a new cluster, and pruned_before says how far back the feed
-- still reaches: a reader that is further behind loads everything anew.
create table cardea.feed (
  singleton boolean primary key default true check (singleton),
  epoch uuid not null default gen_random_uuid(),
  pruned_before xid8 not null default '0'
);
insert into cardea.feed default values;
grant select, update on cardea.feed to cardea_index;

-- The trigger of every table that the feed covers. A change made by hand is recorded like any other, with no
-- actor; that is how the operator learns of drift at once.
create function cardea.record_change() returns trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  record_row jsonb := to_jsonb(new);
begin
  -- The owner before the change: whoever lost the record by somebody's hand is the one to wake.
  if tg_op = 'DELETE' or (tg_op = 'UPDATE' and to_jsonb(old) ->> 'owner_name' is not null) then
    record_row := to_jsonb(old);
  end if;
  insert into cardea.changes (organization_id, concept, record_id, owner_installation, owner_namespace, owner_name, actor)
  values (
    (record_row ->> tg_argv[1])::uuid,
    tg_argv[0],
    (record_row ->> tg_argv[2])::uuid,
    record_row ->> 'owner_installation',
    record_row ->> 'owner_namespace',
    record_row ->> 'owner_name',
    nullif(current_setting('cardea.actor', true), '')
  );
  perform pg_notify('cardea_changes', '');
  return null;
end $$;
-- Rights before the owner: once the function is cardea_index's, cardea_migrate can neither grant nor revoke, and
-- PostgreSQL only warns. Whoever may execute this could make a trigger of their own and forge changes.
revoke all on function cardea.record_change() from public;
alter function cardea.record_change() owner to cardea_index;
-- Later migrations put it on their tables. A new owner takes the old one's rights along, so this comes last.
set local role cardea_index;
grant execute on function cardea.record_change() to cardea_migrate;
reset role;

-- The feed from a position on: give the `snapshot` of the last answer (null at first gets only the position). What was
-- committed since that snapshot comes, each change once, however slow its transaction was. `snapshot` is in each row,
-- and a row with a null id carries it alone.
create function cardea.read_changes(since pg_snapshot)
  returns table (snapshot pg_snapshot, epoch uuid, reload boolean, id bigint, organization_id uuid, concept text, record_id uuid,
    owner_installation text, owner_namespace text, owner_name text, actor text)
  language sql stable security definer set search_path = pg_catalog, pg_temp
begin atomic
  select pg_current_snapshot(), f.epoch, coalesce(pg_snapshot_xmin(since) < f.pruned_before, true),
    c.id, c.organization_id, c.concept, c.record_id, c.owner_installation, c.owner_namespace, c.owner_name, c.actor
  from cardea.feed f
  left join cardea.changes c on c.xid >= pg_snapshot_xmin(since) and not pg_visible_in_snapshot(c.xid, since)
  order by c.id;
end;
revoke all on function cardea.read_changes(pg_snapshot) from public;
grant execute on function cardea.read_changes(pg_snapshot) to cardea_operator, cardea_auth;
alter function cardea.read_changes(pg_snapshot) owner to cardea_index;

-- Drops what is older than `keep` and settled, and remembers how far. Answers how many rows went.
create function cardea.prune_changes(keep interval) returns bigint
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  horizon xid8;
  dropped bigint;
begin
  select max(c.xid) into horizon from cardea.changes c
  where c.at < clock_timestamp() - keep and c.xid < pg_snapshot_xmin(pg_current_snapshot());
  if horizon is null then
    return 0;
  end if;
  delete from cardea.changes c where c.xid <= horizon;
  get diagnostics dropped = row_count;
  update cardea.feed set pruned_before = (horizon::text::numeric + 1)::text::xid8;
  return dropped;
end $$;
revoke all on function cardea.prune_changes(interval) from public;
grant execute on function cardea.prune_changes(interval) to cardea_operator;
alter function cardea.prune_changes(interval) owner to cardea_index;

-- The auth replicas that are alive, so that each knows its share of a rate limit. Written through the functions alone:
-- the time is PostgreSQL's, so that no replica counts for longer than it lives.
create table cardea.auth_replicas (
  id text primary key check (length(id) between 1 and 253),
  seen_at timestamptz not null default clock_timestamp()
);

-- Says that a replica is alive, forgets those that were not heard of for a minute, and answers how many were in the last
-- ten seconds, this one included.
create function cardea.report_replica(id text) returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into cardea.auth_replicas as r (id) values (report_replica.id)
  on conflict on constraint auth_replicas_pkey do update set seen_at = clock_timestamp();
  delete from cardea.auth_replicas r where r.seen_at < clock_timestamp() - interval '1 minute';
  return (select count(*) from cardea.auth_replicas r where r.seen_at > clock_timestamp() - interval '10 seconds');
end $$;

-- Takes a replica out, so that the others' share grows at once.
create function cardea.forget_replica(id text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
begin atomic
  delete from cardea.auth_replicas r where r.id = forget_replica.id;
end;
revoke all on function cardea.report_replica(text), cardea.forget_replica(text) from public;
grant execute on function cardea.report_replica(text), cardea.forget_replica(text) to cardea_auth;
