import path from 'node:path'
import { Client, escapeIdentifier } from 'pg'
import { run } from './command.ts'
import { keepPasswords } from './keep.ts'
import { ROOT } from './place.ts'
import type { PostgresServer } from './postgres.ts'

/** One database's URLs, each with the login role of the part that it is for. */
export interface DatabaseUrls {
  readonly superuser: string
  readonly migrate: string
  readonly operator: string
  readonly auth: string
}

/**
 * Makes Cardea's database where it is missing, and brings it to this program's schema with `cardea migrate`.
 *
 * @throws with what `cardea migrate` said.
 */
export async function prepareDatabase(server: PostgresServer, name: string): Promise<DatabaseUrls> {
  await createDatabase(server, name)
  const passwords = keepPasswords()
  const as = (role: string, password: string): string => {
    const url = new URL(server.superuserUrl(name))
    url.username = role
    url.password = password
    return url.href
  }
  const urls = {
    superuser: server.superuserUrl(name),
    migrate: as('cardea_migrate', passwords.migrate),
    operator: as('cardea_operator', passwords.operator),
    auth: as('cardea_auth', passwords.auth),
  }
  await migrate({
    CARDEA_DATABASE_URL: urls.migrate,
    CARDEA_ADMIN_DATABASE_URL: urls.superuser,
    CARDEA_OPERATOR_DATABASE_URL: urls.operator,
    CARDEA_AUTH_DATABASE_URL: urls.auth,
  })
  return urls
}

async function migrate(settings: Readonly<Record<string, string>>): Promise<void> {
  const program = path.join(ROOT, 'src', 'main', 'cli.ts')
  await run(process.execPath, [program, 'migrate'], { env: { ...process.env, ...settings } })
}

async function createDatabase(server: PostgresServer, name: string): Promise<void> {
  const client = new Client({ connectionString: server.superuserUrl('postgres') })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
    if (!rowCount) await client.query(`create database ${escapeIdentifier(name)}`)
  } finally {
    await client.end()
  }
}
