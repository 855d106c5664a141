import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { Client } from 'pg'

const directory = new URL('./migrations/', import.meta.url)
/** Any fixed number: the advisory lock that lets one migration run at a time in a database. */
const lock = 4_071_263_115

export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
  readonly checksum: string
}

/** The migrations that this program carries, in order. */
export async function migrations(): Promise<readonly Migration[]> {
  const files = (await readdir(directory)).filter((file) => file.endsWith('.sql')).sort()
  return Promise.all(
    files.map(async (file, position) => {
      const version = Number(file.slice(0, 4))
      if (version !== position + 1)
        throw new Error(`${file}: migrations are numbered without a gap`)
      const sql = await readFile(new URL(file, directory), 'utf8')
      return { version, name: file, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

/** A database that this program must not touch; the message says what to do. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused'
}

/**
 * Brings a database to this program's schema: each migration in a transaction of its own, one migrator at a time.
 * @param options.url the migration role's; `bootstrap` or an administrator made the roles and the schema
 * @param options.report told of each step, for people
 * @returns the names of the migrations that were applied now
 * @throws MigrationRefused when the database is newer than the program or an applied migration differs
 */
export async function migrate(options: {
  url: string
  report?: (line: string) => void
}): Promise<readonly string[]> {
  const known = await migrations()
  const client = new Client({
    connectionString: options.url,
    application_name: 'cardea-migrate',
  })
  // A connection that is lost fails its statement, which is enough; without a listener it would end the process too.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('select pg_advisory_lock($1)', [lock])
    await client.query(`create table if not exists cardea.schema_migrations (
      version integer primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())`)
    await client.query('grant select on cardea.schema_migrations to cardea_operator, cardea_auth')
    const { rows } = await client.query<{ version: number; checksum: string }>(
      'select version, checksum from cardea.schema_migrations order by version',
    )
    const pending = pendingMigrations(known, rows)
    for (const migration of pending) {
      options.report?.(`applying ${migration.name}`)
      await apply(client, migration)
    }
    return pending.map((migration) => migration.name)
  } finally {
    await client.end()
  }
}

/** Which migrations are still to apply. Throws MigrationRefused when the database's past is not this program's. */
export function pendingMigrations(
  known: readonly Migration[],
  applied: readonly { version: number; checksum: string }[],
): readonly Migration[] {
  for (const { version, checksum } of applied) {
    const migration = known[version - 1]
    if (!migration) {
      throw new MigrationRefused(
        `the database is at schema version ${version}, this program knows ${known.length}: run a newer Cardea, or restore a backup of the older schema`,
      )
    }
    if (migration.checksum !== checksum) {
      throw new MigrationRefused(
        `${migration.name} was applied with another content: restore the released file`,
      )
    }
  }
  return known.slice(applied.length)
}

async function apply(client: Client, migration: Migration): Promise<void> {
  const warnings: string[] = []
  const listen = ({
    severity,
    message,
  }: {
    severity?: string | undefined
    message?: string | undefined
  }): void => {
    if (severity === 'WARNING') warnings.push(message ?? '')
  }
  client.on('notice', listen)
  await client.query('begin')
  try {
    await client.query(migration.sql)
    // A grant or revoke that does nothing is only warned of, and what it was to keep apart would not be.
    if (warnings.length > 0) throw new Error(`${migration.name}: ${warnings.join('; ')}`)
    await client.query(
      'insert into cardea.schema_migrations (version, name, checksum) values ($1, $2, $3)',
      [migration.version, migration.name, migration.checksum],
    )
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.off('notice', listen)
  }
}
