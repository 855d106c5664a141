import { readFileSync } from 'node:fs'
import path from 'node:path'
import { filesUnder, type Haystack } from './search.ts'
import type { System } from './system.ts'

/** Every row of every table of a system's database, of all schemas, as a dump would have them. */
export async function rowsOfDatabase({ sql }: Pick<System, 'sql'>): Promise<readonly Haystack[]> {
  const tables = await sql<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
     where schemaname not in ('pg_catalog', 'information_schema')`,
  )
  const dump: Haystack[] = []
  for (const { name } of tables) {
    const rows = await sql(`select t::text as row from ${name} t`)
    dump.push({ name, content: Buffer.from(rows.map(({ row }) => row).join('\n')) })
  }
  return dump
}

/** The files of a system's database as they are on the disk, with the WAL and PostgreSQL's own log. */
export async function filesOfDatabase({ sql }: Pick<System, 'sql'>): Promise<readonly Haystack[]> {
  await sql('checkpoint')
  const [place] = await sql(
    `select current_setting('data_directory') as data, oid::text from pg_database where datname = current_database()`,
  )
  const log = path.join(place?.data, '..', 'postgres.log')
  return [
    ...filesUnder(path.join(place?.data, 'base', place?.oid)),
    ...filesUnder(path.join(place?.data, 'pg_wal')),
    { name: log, content: readFileSync(log) },
  ]
}
