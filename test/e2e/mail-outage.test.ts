import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CapturedMail } from '../../hack/local/mailbox.ts'
import { anOrganization } from '../support/build/resource.ts'
import { filesOfDatabase, rowsOfDatabase } from '../support/databasefiles.ts'
import { apply, eventually, whenReady } from '../support/kube.ts'
import { type MailServer, startMailServer, tokenOf } from '../support/mailserver.ts'
import { type PeopleSystem, startPeopleSystem } from '../support/peoplesystem.ts'
import { filesUnder, traces, whereIs } from '../support/search.ts'

const password = 'seven purple lanterns adrift'
const [owner, stranger] = ['owner@acme.example', 'nobody@acme.example']

let people: PeopleSystem
let mail: MailServer
/** Every mail that arrived, of all the servers that there were. */
const arrived = (): readonly CapturedMail[] => [
  ...mail.mailbox.messages,
  ...people.mail.mailbox.messages,
]

interface Answer {
  readonly status: number
  /** Its shape: what is random or names the request is left out. */
  readonly body: unknown
  readonly headers: readonly string[]
  readonly milliseconds: number
}

/** Asks a replica, and times it. */
async function ask(path: string, body: object, url = people.url): Promise<Answer> {
  const start = performance.now()
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const text = await response.text()
  const milliseconds = performance.now() - start
  const shape = JSON.parse(text || 'null', (key, value) =>
    key === 'challenge' || key === 'requestId' ? typeof value : value,
  )
  return {
    status: response.status,
    body: shape,
    headers: [...response.headers.keys()],
    milliseconds,
  }
}

/** What anybody may ask that ends in a mail: for somebody who is known, and for nobody. */
const requests = (round: string) =>
  [
    ['reset', '/api/auth/password-reset/request', { organization: 'acme', email: owner }],
    [
      'reset of nobody',
      '/api/auth/password-reset/request',
      { organization: 'acme', email: stranger },
    ],
    [
      'registration',
      '/api/auth/register',
      {
        organization: `new-${round}`,
        displayName: 'New',
        email: `${round}@new.example`,
        name: 'Newcomer',
        password,
      },
    ],
  ] as const

async function askAll(round: string, url = people.url): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>()
  for (const [name, path, body] of requests(round)) answers.set(name, await ask(path, body, url))
  return answers
}

const alike = ({ status, body, headers }: Answer) => ({ status, body, headers })

beforeAll(async () => {
  people = await startPeopleSystem()
  mail = people.mail
  await apply(
    anOrganization(people.ns, 'acme', {
      domains: ['acme.example'],
      owners: [owner],
      signIn: { methods: ['Password', 'EmailCode'] },
    }),
  )
  await whenReady('organization', people.ns, 'acme')
  const token = tokenOf(await mail.untilMail(owner))
  const accepted = await ask('/api/auth/accept', { token, name: 'Olive Owner', password })
  expect(accepted.status).toBe(200)
}, 180_000)
afterAll(async () => {
  await mail?.stop()
  await people?.stop()
})

/** A mail server that takes connections and says nothing, on the port of the one that went. */
async function silence(port: number): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  return async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<unknown>((resolve) => {
      server.close(resolve)
    })
  }
}

test('the mail server is away for a minute: nobody waits, the answers are the same, and everything arrives', async () => {
  const before = await askAll('before')
  await mail.untilMail('before@new.example')
  const { port } = mail
  await mail.stop()

  // Half of the time nobody listens, the other half somebody does and says nothing.
  const start = performance.now()
  const rounds: ReadonlyMap<string, Answer>[] = []
  rounds.push(await askAll('refused'))
  const code = await ask('/api/auth/otp/request', { organization: 'acme', email: owner })
  const noCode = await ask('/api/auth/otp/request', { organization: 'acme', email: stranger })
  expect(code.status).toBe(202)
  expect(alike(code)).toEqual(alike(noCode))
  await sleep(10_000)
  rounds.push(await askAll('refused2'))
  await sleep(15_000)
  const endSilence = await silence(port)
  await sleep(2000)
  rounds.push(await askAll('silent'))

  // A replica is killed meanwhile, and another takes its place.
  await people.system.auth.daemon.stop('SIGKILL')
  const { host } = new URL(people.url)
  await people.system.startAuth({ CARDEA_LISTEN: host })
  rounds.push(await askAll('restarted'))
  await sleep(Math.max(0, 60_000 - (performance.now() - start)))
  rounds.push(await askAll('last', people.urls.at(-1)))

  for (const round of rounds) {
    for (const [name, answer] of round) {
      const usual = before.get(name)
      expect(alike(answer), name).toEqual(usual && alike(usual))
      // Less than any mail server is waited for.
      expect(answer.milliseconds, name).toBeLessThan(3000)
    }
    const [known, unknown] = [round.get('reset'), round.get('reset of nobody')]
    expect(known && alike(known)).toEqual(unknown && alike(unknown))
  }
  const waiting = await people.system.sql(
    `select template from cardea.mails where state = 'queued'`,
  )
  expect(waiting.length).toBeGreaterThan(5)

  await endSilence()
  mail = await startMailServer({ port })
  const back = performance.now()
  for (const round of ['refused', 'refused2', 'silent', 'restarted', 'last']) {
    await eventually(
      `the registration of ${round} arrives`,
      () => arrived().find(({ to }) => to.includes(`${round}@new.example`)),
      60_000,
    )
  }
  await eventually(
    'nothing waits',
    async () => {
      const rows = await people.system.sql(`select from cardea.mails where state = 'queued'`)
      return rows.length === 0 ? true : undefined
    },
    60_000,
  )
  expect(performance.now() - back).toBeLessThan(60_000)
  const lost = await people.system.sql(`select * from cardea.mails where state = 'failed'`)
  expect(lost).toEqual([])
  expect(arrived().flatMap(({ to }) => to)).not.toContain(stranger)
}, 240_000)

test('what arrived late is good: the newest link, and the code', async () => {
  const codes = arrived().filter(({ subject }) => subject.includes('code'))
  expect(codes).toHaveLength(1)
  const newest = mail.mailbox.messages.find(({ subject }) => subject.includes('password'))
  const reset = {
    token: newest ? tokenOf(newest) : '',
    password: 'a quiet harbour of brass owls',
  }
  expect((await ask('/api/auth/password-reset/confirm', reset)).status).toBe(200)
  const registration = mail.mailbox.messages.find(({ to }) => to.includes('last@new.example'))
  const token = registration ? tokenOf(registration) : ''
  const confirmation = { token, password }
  expect((await ask('/api/auth/verify-email', confirmation)).status).toBe(200)
  expect((await ask('/api/auth/verify-email', confirmation)).status).toBe(400)
})

test('no token and no code of a mail is in any table, and no token in a file of PostgreSQL or in a log', async () => {
  const rows = await rowsOfDatabase(people.system)
  const files = [
    ...(await filesOfDatabase(people.system)),
    ...filesUnder(people.system.directory).filter(({ name }) => name.endsWith('.log')),
  ]
  expect(files.filter(({ name }) => name.includes('auth-')).length).toBeGreaterThan(1)
  const tokens = arrived().flatMap(({ links }) =>
    links.flatMap((link) => new URL(link).searchParams.get('token') ?? []),
  )
  expect(tokens.length).toBeGreaterThan(6)
  for (const token of tokens) {
    // What comes first in it names the organization.
    const secret = `co_${token.slice(-43)}`
    for (const trace of traces(secret)) {
      expect(whereIs(trace, [...rows, ...files]), trace).toEqual([])
    }
  }
  const mailed = arrived().find(({ subject }) => subject.includes('code'))
  const [, code = 'none'] = /^(\d{6})$/m.exec(mailed?.text ?? '') ?? []
  expect(code).toMatch(/^\d{6}$/)
  const around = new RegExp(`(?<![0-9a-f.])${code}(?![0-9a-f])`)
  expect(
    rows.filter(({ content }) => around.test(String(content))).map(({ name }) => name),
  ).toEqual([])
})
