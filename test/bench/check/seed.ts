import { randomBytes, randomUUID } from 'node:crypto'
import { Client } from 'pg'
import { digestApiKey, mintApiKey } from '../../../src/domain/apikey.ts'
import { copy } from './copy.ts'

export const asked = {
  scope: 'scans:write',
  permission: 'scans:run',
  origin: 'https://ci.example.com',
} as const

export interface Seeded {
  /** The text of keys, at most `sample` of them, from all over the index. */
  readonly keys: readonly string[]
}

const scopes = '{scans:read,scans:write,reports:read}'
const projectsEach = 2

/**
 * Fills a migrated, empty database with keys that have every feature: scopes, networks, origins, rate limits and roles.
 * Triggers are off, since nobody follows the feed yet.
 */
export async function seed(
  superuserUrl: string,
  counts: { readonly keys: number; readonly organizations: number; readonly sample: number },
): Promise<Seeded> {
  const client = new Client({ connectionString: superuserUrl })
  await client.connect()
  try {
    await client.query('set session_replication_role = replica')
    const organizations = Array.from({ length: counts.organizations }, (_, n) => new Tenant(n))
    await copy(client, 'organizations (id, name, display_name, managed_by)', function* () {
      for (const { id, name } of organizations) yield [id, name, name, 'api']
    })
    await copy(
      client,
      'projects (organization_id, id, name, display_name, managed_by)',
      function* () {
        for (const { id, projects } of organizations) {
          for (const [n, project] of projects.entries())
            yield [id, project, `p${n}`, 'Project', 'api']
        }
      },
    )
    await copy(client, 'roles (organization_id, id, name, permissions, managed_by)', function* () {
      for (const { id } of organizations) {
        yield [id, randomUUID(), 'scanner', '{scans:run,scans/results:*}', 'api']
      }
    })
    const sampled: string[] = []
    const every = Math.max(1, Math.floor(counts.keys / counts.sample))
    const secrets: (readonly string[])[] = []
    await copy(client, `api_keys (${keyColumns})`, function* () {
      for (let n = 0; n < counts.keys; n++) {
        const tenant = organizations[n % organizations.length] as Tenant
        const id = randomUUID()
        const text = mintApiKey('ck', randomBytes(32))
        if (n % every === 0 && sampled.length < counts.sample) sampled.push(text)
        secrets.push([
          tenant.id,
          id,
          `\\\\x${digestApiKey(text).toString('hex')}`,
          'minted',
          text.slice(-4),
        ])
        yield tenant.key(n, id)
        tenant.keys++
      }
    })
    const secretColumns = 'organization_id, api_key_id, digest, source, last_four'
    await copy(client, `api_key_secrets (${secretColumns})`, () => secrets.values())
    const bindingColumns = 'organization_id, id, name, project_id, role, subjects, managed_by'
    await copy(client, `role_bindings (${bindingColumns})`, function* () {
      for (const tenant of organizations) yield* tenant.bindings()
    })
    await client.query('analyze')
    return { keys: sampled }
  } finally {
    await client.end()
  }
}

const keyColumns =
  'organization_id, id, name, project_id, scopes, allowed_cidrs, allowed_origins, rate_limit_requests, rate_limit_window, rate_limit_burst, expires_at, managed_by'

class Tenant {
  readonly id = randomUUID()
  readonly name: string
  readonly projects = Array.from({ length: projectsEach }, () => randomUUID())
  keys = 0

  constructor(n: number) {
    this.name = `organization-${n}`
  }

  key(n: number, id: string): readonly string[] {
    const project = this.projects[n % projectsEach] as string
    // Some hundred policies among all keys, as a company has.
    const networks = `{127.0.0.0/8,10.${n % 200}.0.0/16,2001:db8:${n % 200}::/48}`
    const origins = `{${asked.origin},https://app-${n % 10}.example.com}`
    const limit = ['1000000', '1000', '1000000']
    const expires = new Date(Date.now() + 90 * 86_400_000).toISOString()
    return [
      this.id,
      id,
      `key-${this.keys}`,
      project,
      scopes,
      networks,
      origins,
      ...limit,
      expires,
      'api',
    ]
  }

  *bindings(): Generator<readonly string[]> {
    const most = 200
    for (let start = 0; start < this.keys; start += most) {
      const names = Array.from({ length: Math.min(most, this.keys - start) }, (_, n) => start + n)
      const subjects = JSON.stringify(names.map((n) => ({ kind: 'APIKey', name: `key-${n}` })))
      yield [this.id, randomUUID(), `developers-${start}`, '\\N', 'developer', subjects, 'api']
      yield [this.id, randomUUID(), `scanners-${start}`, '\\N', 'scanner', subjects, 'api']
    }
  }
}
