import { ConfigurationError } from '../config/environment.ts'
import { readMigrateConfig } from '../config/migrate.ts'
import { bootstrap } from '../db/bootstrap.ts'
import { MigrationRefused, migrate } from '../db/migrate.ts'

/** `cardea migrate`. @returns the exit code: 0, 1 for a refusal or fault, 2 for a wrong setting */
export async function runMigrate(): Promise<number> {
  const say = (line: string) => process.stdout.write(`${line}\n`)
  try {
    const config = readMigrateConfig(process.env)
    if (config.bootstrap) {
      await bootstrap(config.bootstrap)
      say('roles and schema are in place')
    }
    const applied = await migrate({ url: config.migrateUrl, report: say })
    say(
      applied.length > 0 ? `applied ${applied.length} migration(s)` : 'the database is up to date',
    )
    return 0
  } catch (error) {
    process.stderr.write(`cardea migrate: ${explain(error)}\n`)
    return error instanceof ConfigurationError ? 2 : 1
  }
}

function explain(error: unknown): string {
  if (error instanceof ConfigurationError || error instanceof MigrationRefused) return error.message
  const { code, message } = error as NodeJS.ErrnoException
  if (code === '3F000' || code === '42704') {
    return `${message}: the roles and the schema are not there yet; set CARDEA_ADMIN_DATABASE_URL to have them made`
  }
  if (code === 'ECONNREFUSED' || code === 'ENOTFOUND')
    return `PostgreSQL does not answer (${code}): check CARDEA_DATABASE_URL`
  return message
}

if (import.meta.main) process.exitCode = await runMigrate()
