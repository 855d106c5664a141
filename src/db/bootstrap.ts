import { Client } from 'pg'

const roles = ['cardea_migrate', 'cardea_operator', 'cardea_auth'] as const

/**
 * Makes the roles and the schema that migrations expect. Safe to repeat; sets the passwords anew.
 * @param options.adminUrl a role that may create roles, connected to Cardea's database
 * @param options.migrateUrl, operatorUrl, authUrl whose passwords the three login roles get
 * @throws Error when a URL's user is not the role it is for
 */
export async function bootstrap(options: {
  adminUrl: string
  migrateUrl: string
  operatorUrl: string
  authUrl: string
}): Promise<void> {
  const urls = [options.migrateUrl, options.operatorUrl, options.authUrl]
  const client = new Client({
    connectionString: options.adminUrl,
    application_name: 'cardea-bootstrap',
  })
  // A connection that is lost fails its statement, which is enough; without a listener it would end the process too.
  client.on('error', () => {})
  await client.connect()
  try {
    await client.query('begin')
    // Roles belong to the whole server: two bootstraps of different databases must not race.
    await client.query('select pg_advisory_xact_lock($1)', [4_071_263_114])
    await createRole(client, 'cardea_index', 'nologin')
    for (const [position, role] of roles.entries()) {
      const url = new URL(urls[position] as string)
      if (decodeURIComponent(url.username) !== role) {
        throw new Error(`the database URL for ${role} logs in as "${url.username}"`)
      }
      const password = client.escapeLiteral(decodeURIComponent(url.password))
      await createRole(client, role, `login password ${password}`)
    }
    // The owner hands its tenant-spanning functions to cardea_index; it does not act as it otherwise.
    await client.query('grant cardea_index to cardea_migrate with inherit false, set true')
    for (const schema of ['cardea', 'cardea_keys']) {
      await client.query(`create schema if not exists ${schema} authorization cardea_migrate`)
      await client.query(`revoke all on schema ${schema} from public`)
      await client.query(`grant usage on schema ${schema} to cardea_operator, cardea_auth`)
    }
    // A temporary table could carry a trigger of ours; nobody here needs one.
    const database = client.escapeIdentifier(client.database ?? '')
    await client.query(`revoke temporary, connect on database ${database} from public`)
    await client.query(`grant connect on database ${database} to ${roles.join(', ')}`)
    await client.query('grant usage, create on schema cardea to cardea_index')
    await client.query('commit')
  } finally {
    await client.end()
  }
}

async function createRole(client: Client, role: string, options: string): Promise<void> {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  const attributes = `nosuperuser nobypassrls nocreatedb nocreaterole noreplication ${options}`
  await client.query(`${rowCount ? 'alter' : 'create'} role ${role} ${attributes}`)
}
