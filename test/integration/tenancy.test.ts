import { sql } from 'drizzle-orm'
import { Client, Pool } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { takeLeadership } from '../../src/db/leadership.ts'
import { serializeOrganization } from '../../src/db/organization.ts'
import { openPool } from '../../src/db/pool.ts'
import { organizations } from '../../src/db/tables/organization.ts'
import { projects } from '../../src/db/tables/project.ts'
import { FencedError, inOrganization } from '../../src/db/transaction.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'

const [acme, other] = [
  '0199a5c0-0000-7000-8000-000000000001',
  '0199a5c0-0000-7000-8000-000000000002',
] as const
let database: TestDatabase
let pool: Pool

beforeAll(async () => {
  database = await testDatabase()
  pool = new Pool({ connectionString: database.operatorUrl, max: 4 })
  for (const [id, name] of [
    [acme, 'acme'],
    [other, 'other'],
  ] as const) {
    await query(
      database.superuserUrl,
      `insert into cardea.organizations (id, name, display_name, managed_by) values ('${id}', '${name}', '${name}', 'api');
       insert into cardea.projects (organization_id, name, display_name, managed_by) values ('${id}', 'p', 'P', 'api')`,
    )
  }
})
afterAll(async () => {
  await pool.end()
  await database.drop()
})

const actor = 'test'

test('every tenant table that anybody but its owner may use forces row-level security', async () => {
  const rows = await query<{ relname: string }>(
    database.superuserUrl,
    `select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
     where c.relnamespace in ('cardea'::regnamespace, 'cardea_keys'::regnamespace) and c.relkind = 'r'
       and c.relacl is not null and not (c.relrowsecurity and c.relforcerowsecurity)`,
  )
  expect(rows).toEqual([])
})

test.each(['operatorUrl', 'authUrl', 'migrateUrl'] as const)(
  '%s without a tenant reads no tenant row',
  async (role) => {
    const tables = await query<{ relname: string }>(
      database.superuserUrl,
      `select c.relname from pg_class c where c.relnamespace = 'cardea'::regnamespace and c.relkind = 'r' and c.relrowsecurity`,
    )
    expect(tables.length).toBeGreaterThan(5)
    const client = new Pool({ connectionString: database[role], max: 1 })
    for (const { relname } of tables) {
      const count = await client
        .query<{ n: string }>(`select count(*) as n from cardea.${relname}`)
        .then(({ rows }) => rows[0]?.n)
        .catch((error: Error) => error.message)
      expect(['0', `permission denied for table ${relname}`], relname).toContain(count)
    }
    await client.end()
  },
)

test('a transaction sees its own tenant and no other, in every statement', async () => {
  const seen = await inOrganization(pool, { organizationId: acme, actor }, async (tx) => ({
    organizations: (await tx.select().from(organizations)).map((row) => row.id),
    projects: (await tx.select().from(projects)).map((row) => row.organizationId),
  }))
  expect(seen).toEqual({ organizations: [acme], projects: [acme] })
})

test('the tenant does not outlive its transaction on a pooled connection', async () => {
  const single = new Pool({ connectionString: database.operatorUrl, max: 1 })
  await inOrganization(single, { organizationId: acme, actor }, async () => {})
  const { rows } = await single.query('select * from cardea.projects')
  expect(rows).toEqual([])
  await single.end()
})

test('a row of another tenant cannot be written', async () => {
  const fence = await takeLeadership(pool, 'tenancy', 'test')
  const write = inOrganization(pool, { organizationId: acme, actor, fence }, (tx) =>
    tx
      .insert(projects)
      .values({ organizationId: other, name: 'x', displayName: 'X', managedBy: 'api' }),
  )
  await expect(write).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/row-level security/) },
  })
})

test('a tenant that is no UUID never reaches the database', async () => {
  const read = inOrganization(pool, { organizationId: `' or true --`, actor }, async () => {})
  await expect(read).rejects.toThrow(TypeError)
})

test('a transaction without a fence cannot write', async () => {
  const write = inOrganization(pool, { organizationId: acme, actor }, (tx) => tx.delete(projects))
  await expect(write).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/read-only/) },
  })
})

test('a leader whose time is over cannot commit, and the next one waits for what is under way', async () => {
  const first = await takeLeadership(pool, 'fence', 'one')
  let letGo = (): void => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const writing = inOrganization(
    pool,
    { organizationId: acme, actor, fence: first },
    async (tx) => {
      await tx.update(projects).set({ displayName: 'first' })
      await held
    },
  )
  await new Promise((resolve) => setTimeout(resolve, 100))
  let taken = false
  const taking = takeLeadership(pool, 'fence', 'two').then(() => {
    taken = true
  })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(taken).toBe(false)
  letGo()
  await Promise.all([writing, taking])
  const late = inOrganization(pool, { organizationId: acme, actor, fence: first }, (tx) =>
    tx.update(projects).set({ displayName: 'late' }),
  )
  await expect(late).rejects.toThrow(FencedError)
  const rows = await query(
    database.superuserUrl,
    `select display_name from cardea.projects where organization_id = '${acme}'`,
  )
  expect(rows).toEqual([{ display_name: 'first' }])
})

test('a leader that froze with transactions that wait for each other is out of the way in ten seconds', async () => {
  const log = { info: () => {}, warn: () => {} }
  const own = openPool({ connectionString: database.operatorUrl, applicationName: 'frozen', log })
  const frozen = await takeLeadership(own, 'frozen', 'one')
  const stuck = Promise.withResolvers<void>()
  const writings = Array.from({ length: 3 }, () =>
    inOrganization(own, { organizationId: acme, actor, fence: frozen }, async (tx) => {
      // One of them has it, the others wait, and who has it does no more.
      await serializeOrganization(tx, acme)
      await stuck.promise
    }).catch((error: Error) => error),
  )
  await new Promise((resolve) => setTimeout(resolve, 100))
  const asked = performance.now()
  const connection = new Client({ connectionString: database.operatorUrl, query_timeout: 20_000 })
  await connection.connect()
  await connection.query(`select cardea.take_leadership('frozen', 'two')`)
  expect(performance.now() - asked).toBeLessThan(15_000)
  await connection.end()
  stuck.resolve()
  for (const ended of await Promise.all(writings)) expect(ended).toBeInstanceOf(Error)
  await own.end()
}, 30_000)

test('a change made by hand is in the feed without an actor, with the owner that lost the record', async () => {
  await query(
    database.superuserUrl,
    `update cardea.projects set managed_by = 'resource', owner_installation = 'i', owner_namespace = 'n', owner_name = 'p' where organization_id = '${acme}';
     delete from cardea.changes;
     update cardea.projects set managed_by = 'api', owner_installation = null, owner_namespace = null, owner_name = null where organization_id = '${acme}'`,
  )
  const rows = await query(
    database.superuserUrl,
    'select concept, owner_namespace, owner_name, actor from cardea.changes',
  )
  expect(rows).toEqual([{ concept: 'project', owner_namespace: 'n', owner_name: 'p', actor: null }])
})

/** Who may execute what that does not merely read the tenant; everything else is the owner's alone. */
const executors: Readonly<Record<string, readonly string[]>> = {
  current_organization: ['public'],
  record_beginning: [],
  record_change: ['cardea_migrate'],
  remember_revoked: [],
  read_changes: ['cardea_auth', 'cardea_operator'],
  prune_changes: ['cardea_operator'],
  take_leadership: ['cardea_operator'],
  report_replica: ['cardea_auth'],
  forget_replica: ['cardea_auth'],
  is_revoked_digest: ['cardea_operator'],
  find_organization: ['cardea_operator'],
  organization_by_name: ['cardea_operator'],
  keep_sessions_revoked: [],
  is_record: ['cardea_operator'],
  record_api_key_usage: ['cardea_auth'],
  owned_records: ['cardea_operator'],
  wrapped_keys: ['cardea_operator'],
  data_key_ages: ['cardea_operator'],
  index_organizations: ['cardea_auth'],
  index_projects: ['cardea_auth'],
  index_roles: ['cardea_auth'],
  index_role_bindings: ['cardea_auth'],
  index_api_keys: ['cardea_auth'],
  index_api_keys_page: ['cardea_auth'],
  find_api_keys_by_digest: ['cardea_auth'],
  index_sessions: ['cardea_auth'],
  index_sessions_page: ['cardea_auth'],
  find_sessions_by_digest: ['cardea_auth'],
  index_users: ['cardea_auth'],
  index_revoked_access_tokens: ['cardea_auth'],
  record_session_activity: ['cardea_auth'],
  session_places: ['cardea_auth'],
  claim_mails: ['cardea_auth'],
  mail_backlog: ['cardea_auth'],
  recent_registrations: ['cardea_auth'],
  prune_people: ['cardea_auth'],
}

test('every function may be executed by those who need it and nobody else', async () => {
  const rows = await query<{ name: string; grantees: string[] }>(
    database.superuserUrl,
    `select p.proname as name, coalesce(array_agg(distinct case when a.grantee = 0 then 'public' else a.grantee::regrole::text end)
       filter (where a.grantee <> p.proowner), '{}') as grantees
     from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
     where p.pronamespace = 'cardea'::regnamespace group by p.oid, p.proname`,
  )
  expect(rows.length).toBeGreaterThan(10)
  for (const { name, grantees } of rows) expect(grantees.toSorted(), name).toEqual(executors[name])
})

test('every function that spans tenants finds its tables by their schema alone', async () => {
  const rows = await query<{ name: string }>(
    database.superuserUrl,
    `select proname as name from pg_proc where pronamespace = 'cardea'::regnamespace and prosecdef
       and not coalesce(proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)`,
  )
  expect(rows).toEqual([])
})

test('nobody can make a trigger that forges changes', async () => {
  for (const url of [database.operatorUrl, database.authUrl]) {
    const client = new Pool({ connectionString: url, max: 1 })
    const forge = `create temporary table forged (id uuid, organization_id uuid);
      create trigger t after insert on forged for each row execute function cardea.record_change('api_key', 'organization_id', 'id')`
    await expect(client.query(forge)).rejects.toThrow(/permission denied/)
    await client.end()
  }
})

test('the operator says what it did as itself, and now', async () => {
  const fence = await takeLeadership(pool, 'audit', 'test')
  const append = (columns: string, values: string) =>
    inOrganization(pool, { organizationId: acme, actor, fence }, (tx) =>
      tx.execute(
        sql.raw(
          `insert into cardea.audit_events (organization_id, actor, action, target_kind, target_id, target_name, ${columns}) values ('${acme}', 'a', 'a.b', 'k', '${acme}', 'n', ${values})`,
        ),
      ),
    )
  await append('actor_kind', `'operator'`)
  const refused = { cause: { message: expect.stringMatching(/row-level security/) } }
  await expect(append('actor_kind', `'user'`)).rejects.toMatchObject(refused)
  await expect(append('actor_kind, at', `'operator', '2001-01-01'`)).rejects.toMatchObject(refused)
})

test('an epoch moves by one and by the function alone', async () => {
  await expect(pool.query('update cardea.leadership set epoch = 9')).rejects.toThrow(
    /permission denied/,
  )
})

test('nobody may rewrite the audit trail', async () => {
  for (const url of [database.operatorUrl, database.authUrl]) {
    const client = new Pool({ connectionString: url, max: 1 })
    for (const statement of [
      'update cardea.audit_events set action = $1',
      'delete from cardea.audit_events where action = $1',
    ]) {
      await expect(client.query(statement, ['a.b'])).rejects.toThrow(/permission denied/)
    }
    await client.end()
  }
})
