import { getTableColumns, getTableName } from 'drizzle-orm'
import type { PgTable } from 'drizzle-orm/pg-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiKeySecrets, apiKeys, apiKeyUsage } from '../../src/db/tables/apikey.ts'
import { auditEvents } from '../../src/db/tables/audit.ts'
import { organizations } from '../../src/db/tables/organization.ts'
import { projects } from '../../src/db/tables/project.ts'
import {
  providerCredentials,
  providerCredentialUsage,
  providerCredentialVersions,
} from '../../src/db/tables/providercredential.ts'
import { roles } from '../../src/db/tables/role.ts'
import { roleBindings } from '../../src/db/tables/rolebinding.ts'
import { query, type TestDatabase, testDatabase } from '../support/postgres.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.drop())

const tables: readonly PgTable[] = [
  organizations,
  projects,
  roles,
  roleBindings,
  apiKeys,
  apiKeySecrets,
  apiKeyUsage,
  auditEvents,
  providerCredentials,
  providerCredentialVersions,
  providerCredentialUsage,
]

test.each(tables.map((table) => [getTableName(table), table] as const))(
  'the schema that %s is queried with is the one that the migrations make',
  async (name, table) => {
    const made = await query<{ column: string; nullable: boolean }>(
      database.superuserUrl,
      `select attname as column, not attnotnull as nullable from pg_attribute
       where attrelid = 'cardea.${name}'::regclass and attnum > 0 and not attisdropped order by 1`,
    )
    const queried = Object.values(getTableColumns(table)).map((column) => ({
      column: column.name,
      nullable: !column.notNull,
    }))
    expect(queried.toSorted((a, b) => a.column.localeCompare(b.column))).toEqual(
      made.toSorted((a, b) => a.column.localeCompare(b.column)),
    )
  },
)
