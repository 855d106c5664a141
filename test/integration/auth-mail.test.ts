import { type AddressInfo, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPool } from '../../src/db/pool.ts'
import { readToken } from '../../src/domain/onetimetoken.ts'
import { eventually } from '../support/kube.ts'
import {
  anInvitation,
  aUser,
  enqueue,
  publicUrl,
  type Replica,
  startReplica,
} from '../support/mailscene.ts'
import { type MailServer, startMailServer, tokenOf } from '../support/mailserver.ts'
import { testDatabase } from '../support/postgres.ts'
import { Records } from '../support/records.ts'

const database = await testDatabase()
const records = await Records.open(database.superuserUrl)
const log = { info: () => {}, warn: () => {} }
const pool = openPool({ connectionString: database.authUrl, applicationName: 'test', log, max: 2 })
/** What the server answers to a recipient instead of taking the mail. */
const answers = new Map<string, { code: number; text: string }>()
let server: MailServer
let replica: Replica
let acme: string

beforeAll(async () => {
  acme = await records.organization('acme')
  await records.client.query(`update cardea.organizations set display_name = 'Acme Inc.'`)
  server = await startMailServer({
    onRcptTo({ address }, _session, done) {
      const answer = answers.get(address)
      done(answer && Object.assign(new Error(answer.text), { responseCode: answer.code }))
    },
  })
  replica = startReplica(database.authUrl, { port: server.port })
})
afterAll(async () => {
  await replica.stop()
  await server.stop()
  await pool.end()
  await records.close()
  await database.drop()
})

async function mailTo(recipient: string) {
  const { rows } = await records.client.query(
    'select * from cardea.mails where recipient = $1 order by created_at desc',
    [recipient],
  )
  return rows[0]
}

async function tokensOf(subjectId: string) {
  const { rows } = await records.client.query(
    'select * from cardea.one_time_tokens where subject_id = $1 order by created_at',
    [subjectId],
  )
  return rows
}

test('a mail is sent with a link whose token the database knows by its digest alone', async () => {
  const user = await aUser(records, acme, 'ann@acme.example')
  const request = { address: '192.0.2.7', device: 'Firefox on Linux' }
  await enqueue(pool, {
    organizationId: acme,
    template: 'password_reset',
    recipient: 'ann@acme.example',
    subjectId: user,
    arguments: request,
  })
  replica.mail.wake()
  const mail = await server.untilMail('ann@acme.example')
  expect(mail.subject).toBe('New password for Acme Inc.')
  expect(mail.from).toBe('no-reply@acme.example')
  expect(mail.headers['from']).toBe('Acme Identity <no-reply@acme.example>')
  expect(mail.text).toContain('from Firefox on Linux, at the address 192.0.2.7')
  expect(mail.links).toEqual([`${publicUrl}/reset?token=${tokenOf(mail)}`])
  expect(mail.html).toContain(`href="${publicUrl}/reset?token=${tokenOf(mail)}"`)
  const [token, ...others] = await tokensOf(user)
  expect(others).toEqual([])
  expect(token).toMatchObject({ purpose: 'password_reset', used_at: null })
  expect(readToken('co', tokenOf(mail))).toEqual({ organizationId: acme, digest: token.digest })
  const lifetime = token.expires_at.getTime() - token.created_at.getTime()
  expect(lifetime).toBe(3_600_000)
  const row = await eventually('it is recorded', async () => {
    const found = await mailTo('ann@acme.example')
    return found.state === 'sent' ? found : undefined
  })
  expect(row).toMatchObject({ last_error: null, attempts: 0 })
  expect(row.sent_at).toBeInstanceOf(Date)
})

test('an invitation says who invites, to what and until when, and its token ends with it', async () => {
  const project = await records.project(acme, 'scanner')
  const host = await aUser(records, acme, 'host@acme.example')
  const to = 'guest@acme.example'
  const id = await anInvitation(records, acme, to, { role: 'developer', project, invitedBy: host })
  await enqueue(pool, {
    organizationId: acme,
    template: 'invitation',
    recipient: to,
    subjectId: id,
  })
  replica.mail.wake()
  const mail = await server.untilMail(to)
  expect(mail.text).toContain(
    'host@acme.example invites you to join Acme Inc. with the role developer on the project “scanner”.',
  )
  const [token] = await tokensOf(id)
  const left = (token.expires_at.getTime() - Date.now()) / 86_400_000
  expect(left).toBeGreaterThan(6.9)
  expect(left).toBeLessThanOrEqual(7)
})

test('a registration’s mail goes out before there is an organization, and has nothing in it that its writer chose freely', async () => {
  const { rows } = await records.client.query<{ id: string }>('select uuidv7()::text as id')
  const id = rows[0]?.id ?? ''
  await records.client.query(
    `insert into cardea.registrations (organization_id, name, display_name, email, password_hash, expires_at)
     values ($1, 'newcomer', 'Win money at evil.example', 'new@acme.example', '$argon2id$x', now() + interval '24 hours')`,
    [id],
  )
  await enqueue(pool, {
    organizationId: id,
    template: 'registration',
    recipient: 'new@acme.example',
    subjectId: id,
  })
  replica.mail.wake()
  const mail = await server.untilMail('new@acme.example')
  expect(mail.text).toContain('“newcomer”')
  expect(mail.text + mail.html + mail.subject).not.toContain('money')
  expect(mail.links).toEqual([`${publicUrl}/verify?token=${tokenOf(mail)}`])
  expect(readToken('co', tokenOf(mail))?.organizationId).toBe(id)
})

test('what nobody needs any more is not sent', async () => {
  const gone = 'gone@acme.example'
  const id = await anInvitation(records, acme, gone)
  await records.client.query('update cardea.invitations set revoked_at = now() where email = $1', [
    gone,
  ])
  const suspended = await aUser(records, acme, 'suspended@acme.example')
  await records.client.query('update cardea.users set suspended_at = now() where id = $1', [
    suspended,
  ])
  const organizationId = acme
  await enqueue(pool, { organizationId, template: 'invitation', recipient: gone, subjectId: id })
  const reset = { template: 'password_reset', recipient: 'suspended@acme.example' } as const
  await enqueue(pool, { organizationId, ...reset, subjectId: suspended })
  replica.mail.wake()
  for (const recipient of [gone, 'suspended@acme.example']) {
    const state = await eventually('it is decided', async () => {
      const found = await mailTo(recipient)
      return found.state === 'queued' ? undefined : found.state
    })
    expect(state).toBe('superseded')
  }
  expect(await tokensOf(id)).toEqual([])
  expect(server.mailbox.messages.flatMap(({ to }) => to)).not.toContain(gone)
})

test('a second request for the same takes the place of the first, and of its token', async () => {
  const user = await aUser(records, acme, 'twice@acme.example')
  const mail = {
    organizationId: acme,
    template: 'password_reset',
    recipient: 'twice@acme.example',
    subjectId: user,
  } as const
  await enqueue(pool, mail)
  replica.mail.wake()
  const first = await server.untilMail(mail.recipient)
  await enqueue(pool, mail)
  replica.mail.wake()
  const second = await eventually('the second arrives', () => {
    const found = server.mailbox.messages.filter(({ to }) => to.includes(mail.recipient))
    return found.length === 2 ? found[0] : undefined
  })
  const [before, after] = await tokensOf(user)
  expect(before.used_at).toBeInstanceOf(Date)
  expect(after.used_at).toBeNull()
  expect(second && readToken('co', tokenOf(second))?.digest).toEqual(after.digest)
  expect(second && tokenOf(second)).not.toBe(tokenOf(first))
})

test('what the server refuses for good is given up at once, and the audit trail says so', async () => {
  const user = await aUser(records, acme, 'nobody@acme.example')
  answers.set('nobody@acme.example', { code: 550, text: '5.1.1 no such mailbox' })
  await enqueue(pool, {
    organizationId: acme,
    template: 'password_changed',
    recipient: 'nobody@acme.example',
    subjectId: user,
  })
  replica.mail.wake()
  const row = await eventually('it failed', async () => {
    const found = await mailTo('nobody@acme.example')
    return found.state === 'failed' ? found : undefined
  })
  expect(row.last_error).toBe('EENVELOPE RCPT TO 550 5.1.1 no such mailbox')
  const { rows } = await records.client.query(
    `select * from cardea.audit_events where action = 'mail.failed' and target_id = $1`,
    [row.id],
  )
  expect(rows).toMatchObject([
    {
      organization_id: acme,
      actor_kind: 'system',
      actor: 'cardea-auth',
      target_name: 'password_changed',
      detail: { recipient: 'nobody@acme.example', outcome: 'refused' },
    },
  ])
})

test('what the server puts off waits longer each time, and is sent when it is taken', async () => {
  const user = await aUser(records, acme, 'later@acme.example')
  answers.set('later@acme.example', { code: 451, text: '4.7.1 come again' })
  await enqueue(pool, {
    organizationId: acme,
    template: 'password_reset',
    recipient: 'later@acme.example',
    subjectId: user,
  })
  const waits: number[] = []
  for (const attempts of [1, 2]) {
    replica.mail.wake()
    const row = await eventually('it was put off', async () => {
      const found = await mailTo('later@acme.example')
      return found.attempts === attempts ? found : undefined
    })
    waits.push((row.next_attempt_at.getTime() - Date.now()) / 1000)
    await records.client.query('update cardea.mails set next_attempt_at = now() where id = $1', [
      row.id,
    ])
  }
  // A token that reached nobody is none that somebody asked for.
  expect(await tokensOf(user)).toEqual([])
  expect(waits[0]).toBeGreaterThan(10)
  expect(waits[0]).toBeLessThan(19)
  expect(waits[1]).toBeGreaterThan(21)
  answers.clear()
  replica.mail.wake()
  await server.untilMail('later@acme.example')
})

test('a mail that waited for too long is not sent any more', async () => {
  const user = await aUser(records, acme, 'late@acme.example')
  await enqueue(pool, {
    organizationId: acme,
    template: 'password_reset',
    recipient: 'late@acme.example',
    subjectId: user,
    usefulFor: 0,
  })
  replica.mail.wake()
  const row = await eventually('it failed', async () => {
    const found = await mailTo('late@acme.example')
    return found.state === 'failed' ? found : undefined
  })
  expect(row.last_error).toBe('it was not sent in time')
  expect(await tokensOf(user)).toEqual([])
})

test('a code is minted when its mail goes out, by whoever keeps its digest', async () => {
  const minted: object[] = []
  const codes = {
    mint: async (request: { subjectId: string }) => {
      minted.push(request)
      // Whoever holds the mail meanwhile holds one of two connections.
      await records.client.query(
        'select from cardea.mails where subject_id = $1 for update nowait',
        [request.subjectId],
      )
      return request.subjectId.endsWith('1') ? '012345' : undefined
    },
  }
  await replica.stop()
  replica = startReplica(database.authUrl, { port: server.port }, { codes })
  const challenge = '0199a5c0-0000-7000-8000-00000000000'
  for (const [digit, recipient] of [
    ['1', 'code@acme.example'],
    ['2', 'nocode@acme.example'],
  ] as const) {
    const subjectId = `${challenge}${digit}`
    await enqueue(pool, { organizationId: acme, template: 'email_code', recipient, subjectId })
  }
  replica.mail.wake()
  const mail = await server.untilMail('code@acme.example')
  expect(mail.text).toContain('\n012345\n')
  expect(mail.html).toContain('012345')
  expect(mail.links).toEqual([publicUrl])
  await eventually('the other is decided', async () =>
    (await mailTo('nocode@acme.example')).state === 'superseded' ? true : undefined,
  )
  expect(minted).toHaveLength(2)
})

test('an organization’s name makes no header and no link', async () => {
  const evil = await records.organization('evil')
  await records.client.query(
    `update cardea.organizations set display_name = E'Evil\\r\\nBcc: eve@evil.example\\r\\n\\r\\n<b>https://evil.example</b>' where id = $1`,
    [evil],
  )
  const user = await aUser(records, evil, 'victim@acme.example')
  await enqueue(pool, {
    organizationId: evil,
    template: 'password_reset',
    recipient: 'victim@acme.example',
    subjectId: user,
  })
  replica.mail.wake()
  const mail = await server.untilMail('victim@acme.example')
  expect(mail.to).toEqual(['victim@acme.example'])
  expect(Object.keys(mail.headers)).not.toContain('bcc')
  expect(mail.subject).not.toMatch(/\p{Cc}/u)
  expect(mail.html).not.toContain('<b>')
  expect(mail.links).toEqual([`${publicUrl}/reset?token=${tokenOf(mail)}`])
})

test('a replica that ends in the middle of a delivery does so soon, and leaves the mail to others', async () => {
  const silent = createServer((socket) => void socket.on('error', () => {}))
  await new Promise<void>((resolve) => {
    silent.listen(0, '127.0.0.1', resolve)
  })
  const user = await aUser(records, acme, 'patient@acme.example')
  await replica.stop()
  const { port } = silent.address() as AddressInfo
  const stuck = startReplica(database.authUrl, { port }, { patience: 500 })
  await enqueue(pool, {
    organizationId: acme,
    template: 'password_reset',
    recipient: 'patient@acme.example',
    subjectId: user,
  })
  stuck.mail.wake()
  await eventually('it is under way', async () =>
    (await tokensOf(user)).length > 0 ? true : undefined,
  )
  const start = performance.now()
  await stuck.stop()
  expect(performance.now() - start).toBeLessThan(4000)
  silent.close()
  expect(await tokensOf(user)).toEqual([])
  expect((await mailTo('patient@acme.example')).state).toBe('queued')
  await records.client.query(
    `update cardea.mails set next_attempt_at = now() where state = 'queued'`,
  )
  replica = startReplica(database.authUrl, { port: server.port })
  await server.untilMail('patient@acme.example')
})

test('several replicas deliver a queue together, each mail once', async () => {
  const others = [1, 2].map(() => startReplica(database.authUrl, { port: server.port }))
  for (let at = 0; at < 60; at++) {
    const recipient = `crowd${at}@acme.example`
    const subjectId = await aUser(records, acme, recipient)
    await enqueue(pool, { organizationId: acme, template: 'account_locked', recipient, subjectId })
  }
  for (const one of [replica, ...others]) one.mail.wake()
  await eventually('all are sent', async () => {
    const { rows } = await records.client.query(
      `select from cardea.mails where template = 'account_locked' and state <> 'sent'`,
    )
    return rows.length === 0 ? true : undefined
  })
  await Promise.all(others.map((one) => one.stop()))
  const recipients = server.mailbox.messages.flatMap(({ to, subject }) =>
    subject.includes('locked') ? to : [],
  )
  expect(recipients.toSorted()).toEqual(
    Array.from({ length: 60 }, (_, at) => `crowd${at}@acme.example`).toSorted(),
  )
})

test('it tells how much waits, and how what was taken ended', async () => {
  expect(await replica.metric('cardea_mails_total', { outcome: 'sent' })).toBeGreaterThan(0)
  expect(await replica.metric('cardea_mails_total', { outcome: 'refused' })).toBe(0)
  expect(await replica.metric('cardea_mail_queue_length')).toBeGreaterThanOrEqual(0)
  expect(await replica.metric('cardea_mail_queue_oldest_seconds')).toBeGreaterThanOrEqual(0)
})
