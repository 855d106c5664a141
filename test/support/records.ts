import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { digestApiKey, mintApiKey } from '../../src/domain/apikey.ts'

export interface ApiKeyFields {
  readonly name?: string
  readonly project?: string
  readonly scopes?: readonly string[]
  readonly allowedCidrs?: readonly string[]
  readonly allowedOrigins?: readonly string[]
  /** Requests, milliseconds, burst. */
  readonly rateLimit?: readonly [requests: number, window: number, burst?: number]
  readonly expiresAt?: Date
  /** A key that was minted elsewhere. */
  readonly imported?: string
}

export interface ApiKeyRecord {
  readonly id: string
  readonly secretId: string
  readonly name: string
  readonly text: string
}

/** Writes records as a superuser, like somebody with psql: the triggers tell the change feed. */
export class Records {
  readonly client: Client
  #count = 0

  private constructor(client: Client) {
    this.client = client
  }

  static async open(superuserUrl: string): Promise<Records> {
    const client = new Client({ connectionString: superuserUrl, application_name: 'test-records' })
    await client.connect()
    return new Records(client)
  }

  async close(): Promise<void> {
    await this.client.end()
  }

  async organization(name = this.#name('organization')): Promise<string> {
    return this.#id(
      `insert into cardea.organizations (name, display_name, managed_by) values ($1, $1, 'api') returning id`,
      [name],
    )
  }

  async project(organization: string, name = this.#name('project')): Promise<string> {
    return this.#id(
      `insert into cardea.projects (organization_id, name, display_name, managed_by) values ($1, $2, $2, 'api') returning id`,
      [organization, name],
    )
  }

  async role(organization: string, name: string, permissions: readonly string[]): Promise<string> {
    return this.#id(
      `insert into cardea.roles (organization_id, name, permissions, managed_by) values ($1, $2, $3, 'api') returning id`,
      [organization, name, permissions],
    )
  }

  async binding(
    organization: string,
    role: string,
    apiKeys: readonly string[],
    project?: string,
  ): Promise<string> {
    const subjects = apiKeys.map((name) => ({ kind: 'APIKey', name }))
    return this.#id(
      `insert into cardea.role_bindings (organization_id, name, role, project_id, subjects, managed_by)
        values ($1, $2, $3, $4, $5, 'api') returning id`,
      [organization, this.#name('binding'), role, project ?? null, JSON.stringify(subjects)],
    )
  }

  async apiKey(organization: string, fields: ApiKeyFields = {}): Promise<ApiKeyRecord> {
    const name = fields.name ?? this.#name('key')
    const [requests, window, burst] = fields.rateLimit ?? []
    const id = await this.#id(
      `insert into cardea.api_keys (organization_id, name, project_id, scopes, allowed_cidrs, allowed_origins,
        rate_limit_requests, rate_limit_window, rate_limit_burst, expires_at, managed_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'api') returning id`,
      [
        organization,
        name,
        fields.project ?? null,
        fields.scopes ?? [],
        fields.allowedCidrs ?? [],
        fields.allowedOrigins ?? [],
        requests ?? null,
        window ?? null,
        burst ?? null,
        fields.expiresAt ?? null,
      ],
    )
    const secret = await this.secret(organization, id, fields.imported)
    return { id, name, ...secret }
  }

  /** Another secret for a key, as a rotation makes it. */
  async secret(
    organization: string,
    apiKey: string,
    imported?: string,
  ): Promise<{ secretId: string; text: string }> {
    const text = imported ?? mintApiKey('ck', randomBytes(32))
    const secretId = await this.#id(
      `insert into cardea.api_key_secrets (organization_id, api_key_id, digest, source) values ($1, $2, $3, $4) returning id`,
      [organization, apiKey, digestApiKey(text), imported === undefined ? 'minted' : 'imported'],
    )
    return { secretId, text }
  }

  async revoke({ id }: { readonly id: string }): Promise<void> {
    await this.client.query('update cardea.api_keys set deleted_at = now() where id = $1', [id])
  }

  /** How many changes the feed has told of so far. */
  async changes(): Promise<number> {
    const { rows } = await this.client.query<{ count: number }>(
      'select count(*)::int as count from cardea.changes',
    )
    return rows[0]?.count ?? 0
  }

  #name(what: string): string {
    return `${what}-${++this.#count}`
  }

  async #id(text: string, values: readonly unknown[]): Promise<string> {
    const { rows } = await this.client.query<{ id: string }>(text, [...values])
    return rows[0]?.id as string
  }
}
