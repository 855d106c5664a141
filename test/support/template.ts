import { Client } from 'pg'
import { bootstrap } from '../../src/db/bootstrap.ts'
import { migrate } from '../../src/db/migrate.ts'

/** The database that `testDatabase` copies. */
export const TEMPLATE = 'cardea_template'

export interface DatabaseUrls {
  readonly superuserUrl: string
  readonly migrateUrl: string
  readonly operatorUrl: string
  readonly authUrl: string
}

/** One database's URLs, as each role that Cardea knows. */
export function urlsOf(superuserUrl: string, database: string): DatabaseUrls {
  const as = (role: string): string => {
    const url = new URL(`/${database}`, superuserUrl)
    url.username = role
    url.password = `${role}-password`
    return url.href
  }
  return {
    superuserUrl: new URL(`/${database}`, superuserUrl).href,
    migrateUrl: as('cardea_migrate'),
    operatorUrl: as('cardea_operator'),
    authUrl: as('cardea_auth'),
  }
}

/** Makes the template. Done once, before the first test. */
export async function makeTemplate(superuserUrl: string): Promise<void> {
  await query(superuserUrl, `create database ${TEMPLATE}`)
  const { superuserUrl: adminUrl, ...urls } = urlsOf(superuserUrl, TEMPLATE)
  await bootstrap({ adminUrl, ...urls })
  await migrate({ url: urls.migrateUrl })
  // A copy fails while anybody is connected to what is copied.
  await query(
    superuserUrl,
    `alter database ${TEMPLATE} with is_template true allow_connections false`,
  )
}

/** Runs one statement on a connection of its own; answers the rows. */
export async function query<Row extends object>(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Row>(text, [...values])).rows
  } finally {
    await client.end()
  }
}
