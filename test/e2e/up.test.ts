import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { get } from 'node:http'
import path from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import type { CapturedMail } from '../../hack/local/mailbox.ts'
import { isAlive } from '../../hack/local/processes.ts'
import { makeCheckout } from '../support/checkout.ts'

const checkout = makeCheckout()
const { home } = checkout
const hack: typeof checkout.hack = (...given) => checkout.hack(...given)
const sourced: typeof checkout.sourced = (...given) => checkout.sourced(...given)
const check: typeof checkout.check = (...given) => checkout.check(...given)
const variable = (name: string): Promise<string> => checkout.variable(name)
const unwrap = (): Promise<string> => checkout.unwrap()
const processes = (): ReturnType<typeof checkout.processes> => checkout.processes()

afterAll(() => hack('down', '--purge'))

/** The status that a page gets which had its own name resolve to here. */
async function fetchAs(host: string, url: string): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
  get(url, { headers: { host } }, (answer) => resolve(answer.resume().statusCode)).on(
    'error',
    reject,
  )
  return promise
}

test('one command brings up a system that answers, and says where', async () => {
  const up = await hack('up', '--detach')
  expect(up.code, up.output).toBe(0)
  expect(up.output).toContain('apikey/ci is Ready')
  expect(up.output).toContain('GET /check?scope=scans:read → 200 · organization acme')
})

test('sourcing .cardea/env gives the commands and addresses', async () => {
  const ready = await sourced('kubectl get cardea -A --no-headers -o custom-columns=K:.kind')
  expect(new Set(ready.trim().split('\n'))).toEqual(
    new Set(['APIKey', 'Organization', 'Project', 'RBACBinding', 'RBACRole']),
  )
  await sourced('kubectl wait --for=condition=Ready apikey/ci -n acme && helm version')
  const key = await unwrap()
  expect(await check(key, 'scans:read')).toBe(200)
  expect(await check(key, 'scans:delete')).toBe(403)
  expect(await check('ck_garbled', 'scans:read')).toBe(401)
  for (const name of ['CARDEA_OPERATOR_METRICS', 'CARDEA_AUTH_METRICS']) {
    const metrics = await fetch(await variable(name))
    expect(await metrics.text()).toContain('cardea_')
  }
})

test('the owner of the quickstart’s organization is invited, and whoever reads the mail gets in', async () => {
  const mail = await variable('CARDEA_MAIL_URL')
  const url = await variable('CARDEA_URL')
  const [message] = await vi.waitFor(
    async () => {
      const all = (await (await fetch(`${mail}/messages`)).json()) as CapturedMail[]
      expect(all).toHaveLength(1)
      return all as [CapturedMail]
    },
    { timeout: 15_000 },
  )
  expect(message).toMatchObject({ to: ['owner@acme.example'], subject: 'Invitation to Acme Inc.' })
  const [link = ''] = message.links
  expect(link).toMatch(`${url}/invitation?token=co_`)
  expect(await (await fetch(link)).text()).toContain('Acme Inc.')
  expect(await (await fetch(`${mail}/messages/${message.id}`)).json()).toEqual(message)
  expect(await (await fetch(mail)).text()).toContain(message.subject)
  expect(await fetchAs('evil.example', `${mail}/messages`)).toBe(421)

  const post = (route: string, body: object) =>
    fetch(`${url}${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const token = new URL(link).searchParams.get('token')
  const password = 'seven purple lanterns adrift'
  const accepted = await post('/api/auth/accept', { token, name: 'Olive', password })
  expect(accepted.status).toBe(200)
  const credentials = { organization: 'acme', email: 'owner@acme.example', password }
  // The key that signs tokens may have been made a moment ago.
  const tokens = await vi.waitFor(
    async () => {
      const answer = await post('/api/auth/login', { ...credentials, session: 'token' })
      expect(answer.status).toBe(200)
      return answer
    },
    { timeout: 10_000, interval: 250 },
  )
  const { access_token: accessToken } = (await tokens.json()) as { access_token: string }
  await vi.waitFor(
    async () => {
      const headers = { authorization: `Bearer ${accessToken}` }
      const checked = await fetch(`${url}/check`, { headers })
      expect(checked.headers.get('x-cardea-roles')).toBe('owner')
    },
    { timeout: 10_000 },
  )
})

test('its secrets are for their owner only, and the operator is not an administrator', async () => {
  const modes = await sourced(
    `stat -c '%a %n' env kms.key mail.json kubeconfig operator.kubeconfig passwords.json controlplane/tokens.csv`,
    home,
  )
  for (const line of modes.trim().split('\n')) expect(line).toMatch(/^600 /)
  const whoami = await sourced('KUBECONFIG=.cardea/operator.kubeconfig kubectl auth whoami')
  expect(whoami).toContain('system:serviceaccount:cardea-system:cardea-operator')
})

test('a second start says that it runs, and starts nothing', async () => {
  const before = processes()
  const up = await hack('up', '--detach')
  expect(up.code).toBe(0)
  expect(up.output).toContain('It is running already.')
  expect(processes()).toEqual(before)
})

test.each(['operator', 'auth-0', 'mail', 'postgres'])(
  '%s comes back when it is killed',
  async (name) => {
    const killed = processes()[name]
    if (!killed) throw new Error(`${name} does not run`)
    process.kill(killed.pid, 'SIGKILL')
    await vi.waitFor(() => expect(processes()[name]?.pid).not.toBe(killed.pid), { timeout: 10_000 })
    const pids = [await variable('CARDEA_OPERATOR_PID'), await variable('CARDEA_AUTH_PIDS')]
    expect(pids).toEqual([String(processes()['operator']?.pid), String(processes()['auth-0']?.pid)])
    const key = await unwrap()
    await vi.waitFor(async () => expect(await check(key, 'scans:read')).toBe(200), {
      timeout: 10_000,
    })
  },
)

test('the other command leaves no process, and the next start takes up the data', async () => {
  const key = await unwrap()
  const running = Object.values(processes())
  expect((await hack('down')).output).toContain('Stopped.')
  expect(running.filter(isAlive)).toEqual([])
  expect((await hack('down')).output).toContain('Nothing was running.')

  const startedAt = Date.now()
  const up = await hack('up', '--detach', '--auth-replicas', '2')
  expect(up.code, up.output).toBe(0)
  expect(Date.now() - startedAt).toBeLessThan(20_000)
  expect(await unwrap()).toBe(key)
  const urls = (await variable('CARDEA_URLS')).split(' ')
  expect(urls).toHaveLength(2)
  for (const url of urls) expect(await check(key, 'scans:read', url)).toBe(200)
  await hack('down')
})

test('Ctrl-C in the middle of a start leaves no process', async () => {
  const up = spawn(path.join(checkout.directory, 'hack', 'up'), [], {
    cwd: checkout.directory,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => up.once('exit', resolve))
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const running = Object.values(processes())
  up.kill('SIGINT')
  expect(await ended).toBe(130)
  expect(running.length).toBeGreaterThan(0)
  expect(running.filter(isAlive)).toEqual([])
})

test('a start that fails says why and leaves no process', async () => {
  const { code, output } = await hack('up', '--context', 'no-such-context')
  expect(code).toBe(1)
  expect(output).toContain('There is no context "no-such-context".')
  expect(Object.values(processes()).filter(isAlive)).toEqual([])
})

test('--purge leaves nothing', async () => {
  await hack('down', '--purge')
  expect(existsSync(home)).toBe(false)
})
