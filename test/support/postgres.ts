import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { type DatabaseUrls, query, TEMPLATE, urlsOf } from './template.ts'

export { startPostgres } from './servers.ts'
export { query } from './template.ts'

/** A database of one test file's own, on the server that all share. */
export interface TestDatabase extends DatabaseUrls {
  readonly name: string
  /** Ends every connection to it and removes it. */
  drop(): Promise<void>
}

/** A migrated database with the roles' real grants, and nothing in it. */
export function testDatabase(): Promise<TestDatabase> {
  return createDatabase(TEMPLATE)
}

/** A database without Cardea's schema, for what is tested before and during migrations. */
export function emptyDatabase(): Promise<TestDatabase> {
  return createDatabase('template0')
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const { superuserUrl } = inject('postgres')
  const name = `test_${randomBytes(6).toString('hex')}`
  await query(superuserUrl, `create database ${name} template ${template}`)
  return {
    name,
    ...urlsOf(superuserUrl, name),
    async drop() {
      await query(superuserUrl, `drop database if exists ${name} with (force)`)
    },
  }
}
