import { afterAll, beforeAll, expect, test } from 'vitest'
import { bootstrap } from '../../src/db/bootstrap.ts'
import { migrate, migrations, pendingMigrations } from '../../src/db/migrate.ts'
import { emptyDatabase, query, type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await emptyDatabase()
})
afterAll(() => database.drop())

const roles = () => ({
  adminUrl: database.superuserUrl,
  migrateUrl: database.migrateUrl,
  operatorUrl: database.operatorUrl,
  authUrl: database.authUrl,
})

test('two migrators at once apply each migration once', async () => {
  await bootstrap(roles())
  const applied = await Promise.all([
    migrate({ url: database.migrateUrl }),
    migrate({ url: database.migrateUrl }),
  ])
  const all = await migrations()
  expect(applied.flat().toSorted()).toEqual(all.map((migration) => migration.name))
  expect(await migrate({ url: database.migrateUrl })).toEqual([])
})

test('bootstrap may be repeated', async () => {
  await bootstrap(roles())
})

test('a database that is newer than the program is refused', async () => {
  const next = (await migrations()).length + 1
  await query(
    database.superuserUrl,
    `insert into cardea.schema_migrations (version, name, checksum) values (${next}, 'x', 'x')`,
  )
  await expect(migrate({ url: database.migrateUrl })).rejects.toThrow(/run a newer Cardea/)
  await query(database.superuserUrl, `delete from cardea.schema_migrations where version = ${next}`)
})

test('a migration that was applied with another content is refused', async () => {
  const [first] = await migrations()
  expect(() => pendingMigrations([first as never], [{ version: 1, checksum: 'other' }])).toThrow(
    /applied with another content/,
  )
})

test('a migration that fails leaves nothing behind', async () => {
  const broken = await emptyDatabase()
  try {
    await bootstrap({
      adminUrl: broken.superuserUrl,
      migrateUrl: broken.migrateUrl,
      operatorUrl: broken.operatorUrl,
      authUrl: broken.authUrl,
    })
    // Something is in the way of the second migration.
    await query(broken.superuserUrl, 'create table cardea.projects (x int)')
    await expect(migrate({ url: broken.migrateUrl })).rejects.toThrow(/already exists/)
    const left = await query<{ tables: string }>(
      broken.superuserUrl,
      `select to_regclass('cardea.organizations')::text as tables`,
    )
    expect(left[0]?.tables).toBeNull()
    await query(broken.superuserUrl, 'drop table cardea.projects')
    expect((await migrate({ url: broken.migrateUrl })).length).toBeGreaterThan(0)
  } finally {
    await broken.drop()
  }
})

test('no login role is a superuser, bypasses row security, or is a member of the role that spans tenants', async () => {
  const { superuserUrl } = await testDatabase()
  const rows = await query<{ rolname: string }>(
    superuserUrl,
    `select rolname from pg_roles where rolname like 'cardea%' and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)`,
  )
  expect(rows).toEqual([])
  const members = await query<{ member: string; inherit_option: boolean }>(
    superuserUrl,
    `select member::regrole::text as member, inherit_option from pg_auth_members where roleid = 'cardea_index'::regrole`,
  )
  expect(members).toEqual([{ member: 'cardea_migrate', inherit_option: false }])
})

test('the envelopes of an older database are moved to the schema of the keys', async () => {
  const older = await emptyDatabase()
  try {
    await bootstrap({
      adminUrl: older.superuserUrl,
      migrateUrl: older.migrateUrl,
      operatorUrl: older.operatorUrl,
      authUrl: older.authUrl,
    })
    // In the way of the migration that moves them.
    await query(older.superuserUrl, 'create table cardea_keys.api_key_envelopes (x int)')
    await expect(migrate({ url: older.migrateUrl })).rejects.toThrow(/already exists/)
    await query(older.superuserUrl, 'drop table cardea_keys.api_key_envelopes')
    await query(
      older.superuserUrl,
      `with o as (insert into cardea.organizations (name, display_name, managed_by) values ('acme', 'Acme', 'api') returning id),
        k as (insert into cardea.api_keys (organization_id, name, managed_by) select id, 'ci', 'api' from o returning organization_id, id)
       insert into cardea.api_key_secrets (organization_id, api_key_id, digest, source, envelope)
       select organization_id, id, sha256('x'), 'minted', '{"version": 1}' from k`,
    )
    await migrate({ url: older.migrateUrl })
    const moved = await query<{ envelope: object; forced: boolean }>(
      older.superuserUrl,
      `select s.envelope, c.relforcerowsecurity as forced
       from cardea_keys.api_key_secrets s, pg_class c where c.oid = 'cardea.api_key_secrets'::regclass`,
    )
    expect(moved).toEqual([{ envelope: { version: 1 }, forced: true }])
  } finally {
    await older.drop()
  }
})
