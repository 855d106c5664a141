import { hash } from 'node:crypto'
import { hashSync } from '@node-rs/argon2'
import { expect } from 'vitest'
import type { CapturedMail } from '../../hack/local/mailbox.ts'
import { peoplesSettings, type RunningAuth, startAuth } from './authservice.ts'
import { type MailServer, startMailServer, tokenOf } from './mailserver.ts'
import { type TestDatabase, testDatabase } from './postgres.ts'
import { Records } from './records.ts'

export const password = 'seven purple lanterns adrift'

interface PersonFields {
  readonly email?: string
  /** Undefined: there is none. */
  readonly password?: string | undefined
  readonly verified?: boolean
  readonly suspended?: boolean
}

export interface PersonRecord {
  readonly id: string
  readonly email: string
}

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
  readonly text: string
  readonly headers: Headers
  /** Name and value of each cookie that was set. */
  readonly cookies: Readonly<Record<string, string>>
}

export interface Asking {
  /** Which replica. */
  readonly at?: number
  /** The client's address; left out: one that whoever is named in the body has to themselves. */
  readonly from?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cookies?: Readonly<Record<string, string>>
}

/** Auth services where people sign in, with their mail. */
export interface SignInScene {
  readonly database: TestDatabase
  readonly records: Records
  readonly replicas: readonly RunningAuth[]
  readonly mail: MailServer
  post(path: string, body: unknown, asking?: Asking): Promise<Answer>
  /** The ids of the organizations, by name. */
  readonly ids: Readonly<Record<string, string>>
  person(organizationId: string, fields?: PersonFields): Promise<PersonRecord>
  /** The actions in the audit trail of a target, in order. */
  trail(targetId: string): Promise<readonly string[]>
  rows<Row extends object>(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]>
  /** The token of the last mail to somebody that has one. */
  mailedToken(to: string): Promise<string>
  stop(): Promise<void>
}

let count = 0

export interface Setting {
  readonly replicas?: number
  /** Settings of an organization, and its email domains, by its name; the replicas know them from their start. */
  readonly organizations: Readonly<
    Record<string, { readonly settings?: object; readonly domains?: readonly string[] }>
  >
  readonly settings?: Readonly<Record<string, string>>
}

export async function startSignIn(setting: Setting): Promise<SignInScene> {
  const { replicas: replicaCount = 1, settings } = setting
  const database = await testDatabase()
  const records = await Records.open(database.superuserUrl)
  const mail = await startMailServer()
  const rows: SignInScene['rows'] = async (sql, ...values) =>
    (await records.client.query(sql, [...values])).rows
  const ids: Record<string, string> = {}
  for (const [name, { settings: own = {}, domains = [] }] of Object.entries(
    setting.organizations,
  )) {
    const [row] = await rows<{ id: string }>(
      `insert into cardea.organizations (name, display_name, domains, settings, managed_by) values ($1, $1, $2, $3, 'api') returning id`,
      name,
      domains,
      JSON.stringify(own),
    )
    ids[name] = row?.id ?? ''
  }
  const replicas = await Promise.all(
    Array.from({ length: replicaCount }, async () =>
      startAuth(
        database.authUrl,
        await peoplesSettings({
          CARDEA_SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
          CARDEA_MAIL_FROM: 'no-reply@acme.example',
          ...settings,
        }),
      ),
    ),
  )
  const post: SignInScene['post'] = async (path, body, asking = {}) => {
    const { at: replica = 0, from = addressOf(body), headers = {}, cookies } = asking
    const jar = Object.entries(cookies ?? {}).map(([name, value]) => `${name}=${value}`)
    const answer = await fetch(`${replicas[replica]?.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        'content-type': 'application/json',
        'x-forwarded-for': from,
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
        ...(jar.length > 0 && { cookie: jar.join('; '), 'sec-fetch-site': 'same-origin' }),
        ...headers,
      },
    })
    const text = await answer.text()
    return {
      status: answer.status,
      text,
      body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
      headers: answer.headers,
      cookies: Object.fromEntries(
        answer.headers.getSetCookie().map((line) => {
          const [pair = ''] = line.split(';')
          const middle = pair.indexOf('=')
          return [pair.slice(0, middle), pair.slice(middle + 1)]
        }),
      ),
    }
  }
  return {
    database,
    records,
    replicas,
    mail,
    post,
    rows,
    ids,
    async person(organizationId, fields = {}) {
      const { email = `somebody-${++count}@acme.example`, verified = true } = fields
      const [row] = await rows<{ id: string }>(
        `insert into cardea.users (organization_id, email, email_verified_at, suspended_at)
         values ($1, $2, case when $3 then now() end, case when $4 then now() end) returning id`,
        organizationId,
        email,
        verified,
        fields.suspended ?? false,
      )
      const id = row?.id ?? ''
      const secret = 'password' in fields ? fields.password : password
      if (secret !== undefined) {
        await rows(
          'insert into cardea.passwords (organization_id, user_id, hash) values ($1, $2, $3)',
          organizationId,
          id,
          hashSync(secret, { memoryCost: 19_456, timeCost: 2, parallelism: 1 }),
        )
      }
      return { id, email }
    },
    async trail(targetId) {
      const events = await rows<{ action: string }>(
        'select action from cardea.audit_events where target_id = $1 order by id',
        targetId,
      )
      return events.map(({ action }) => action)
    },
    async mailedToken(to) {
      const find = () =>
        mail.mailbox.messages.find(
          (each) => each.to.includes(to) && each.links.some((link) => link.includes('?token=')),
        )
      await expect.poll(find, { timeout: 15_000, interval: 20 }).toBeDefined()
      return tokenOf(find() as CapturedMail)
    },
    async stop() {
      await Promise.all(replicas.map((replica) => replica.stop()))
      await mail.stop()
      await records.close()
      await database.drop()
    },
  }
}

/** Everybody asks from home: what is limited by address does not come into what a test is about. */
function addressOf(body: unknown): string {
  const email = typeof body === 'object' && body !== null && 'email' in body ? body.email : ''
  const [one = 0, two = 0, three = 0] = hash('sha256', String(email).toLowerCase().trim(), 'buffer')
  return `10.${one}.${two}.${three}`
}
