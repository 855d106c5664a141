import type { Pool } from 'pg'
import { Registry } from 'prom-client'
import type { CodeMinter } from '../../src/auth/mail/codeminter.ts'
import { type Mail, openMail } from '../../src/auth/mail/open.ts'
import type { SmtpServer } from '../../src/auth/mail/smtpserver.ts'
import { mailing, type OutgoingMail } from '../../src/db/mail.ts'
import { openPool } from '../../src/db/pool.ts'
import { carryOut, writeInOrganization } from '../../src/db/transaction.ts'
import type { Records } from './records.ts'

export const publicUrl = 'https://id.acme.example'
const sender = { name: 'Acme Identity', address: 'no-reply@acme.example' }

/** The delivery of mail of one replica, without the rest of the service. */
export interface Replica {
  readonly mail: Mail
  readonly logged: { readonly level: string; readonly detail: object; readonly message: string }[]
  metric(name: string, labels?: Record<string, string>): Promise<number | undefined>
  stop(): Promise<void>
}

/** Starts the delivery of a replica. @param server where its port and security differ from plain text */
export function startReplica(
  authUrl: string,
  server: Partial<SmtpServer> & { readonly port: number },
  options: {
    readonly authorities?: string
    readonly codes?: CodeMinter
    readonly patience?: number
  } = {},
): Replica {
  const { authorities, codes, ...rest } = options
  const logged: Replica['logged'] = []
  const at = (level: string) => (detail: object, message: string) => {
    logged.push({ level, detail, message })
  }
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  const pool = openPool({ connectionString: authUrl, applicationName: 'test-mail', log, max: 2 })
  const registry = new Registry()
  const mail = openMail(
    {
      pool,
      server: { host: '127.0.0.1', tls: 'off', login: undefined, ...server },
      sender,
      authorities,
      publicUrl,
    },
    { codes, registry, log, ...rest },
  )
  mail.start()
  return {
    mail,
    logged,
    async metric(name, labels = {}) {
      const metric = (await registry.getMetricsAsJSON()).find((one) => one.name === name)
      const value = metric?.values.find((one) =>
        Object.entries(labels).every(([label, text]) => one.labels[label] === text),
      )
      return value?.value
    },
    async stop() {
      await mail.stop()
      await pool.end()
    },
  }
}

/** Puts a mail into the queue, as the services do. */
export async function enqueue(
  pool: Pool,
  mail: Omit<OutgoingMail, 'usefulFor'> & { readonly usefulFor?: number },
): Promise<void> {
  const { organizationId } = mail
  await writeInOrganization(pool, { organizationId, actor: 'test' }, (tx) =>
    carryOut(tx, mailing({ usefulFor: 3600, ...mail }), []),
  )
}

/** Somebody with an account. @returns the user's id */
export async function aUser(
  { client }: Records,
  organizationId: string,
  email: string,
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    'insert into cardea.users (organization_id, email, email_verified_at) values ($1, $2, now()) returning id',
    [organizationId, email],
  )
  return rows[0]?.id ?? ''
}

/** @returns the invitation's id */
export async function anInvitation(
  { client }: Records,
  organizationId: string,
  email: string,
  values: { readonly role?: string; readonly project?: string; readonly invitedBy?: string } = {},
): Promise<string> {
  const { rows } = await client.query<{ id: string }>(
    `insert into cardea.invitations (organization_id, email, role, project_id, invited_by, expires_at)
     values ($1, $2, $3, $4, $5, now() + interval '7 days') returning id`,
    [
      organizationId,
      email,
      values.role ?? 'viewer',
      values.project ?? null,
      values.invitedBy ?? null,
    ],
  )
  return rows[0]?.id ?? ''
}
