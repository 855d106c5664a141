import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { stopDaemons } from '../../hack/local/daemon.ts'
import { ensureDebianProgram } from '../../hack/local/debian.ts'
import { leashDirectory } from '../../hack/local/leash.ts'
import { startPostgres } from '../../hack/local/postgres.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import { mintApiKey } from '../../src/domain/apikey.ts'
import { sessionCookie } from '../../src/domain/session.ts'
import { residentMegabytes } from '../support/program.ts'
import { makeTemplate, query, TEMPLATE, urlsOf } from '../support/template.ts'
import { type Measured, report } from './check/goals.ts'
import { load, type Run, type Target } from './check/load.ts'
import { openLoop } from './check/openloop.ts'
import { asked, seed } from './check/seed.ts'
import { publicUrl, type SeededPeople, seedPeople } from './check/seedpeople.ts'
import {
  loadCore,
  measureBareVerify,
  type Server,
  startAuthService,
  startBetterAuth,
  startHello,
} from './check/servers.ts'
import { buildPrograms } from './programs.ts'

const usage = `usage: ./hack/bench check [--quick]

Goals G1, G2 (better-auth), G3, G4, G5, G6, G7 and G9 for API keys, session cookies and access tokens, beside a bare node:http
and a Fastify hello. The servers have one core, the load and PostgreSQL the other. Exits 1 when a goal is missed by more than 15 %,
2 when the machine was not quiet.

  --quick   runs of 3 seconds in place of 10
`
/** Seconds in which each of the sampled credentials comes at least once. */
const warmUp = 3
const sampled = 40_000
/** API keys; `keys` is there to tell what the sessions beside them take. */
const sizes = { small: 100, keys: 100_000, medium: 100_000, large: 1_000_000 } as const
const organizations = { small: 10, keys: 10_000, medium: 10_000, large: 10_000 } as const
/** More tokens than are remembered, so that each is unseen when it comes again. */
const tokens = { EdDSA: 10_000, ES256: 60_000 } as const
const nobody = { people: 0, sessions: 0, sample: 1, tokens: { EdDSA: 0, ES256: 0 } } as const
const people = {
  keys: nobody,
  small: { people: 100, sessions: 2000, sample: 1000, tokens: { EdDSA: 0, ES256: 0 } },
  medium: { people: 50_000, sessions: 1_000_000, sample: sampled, tokens },
} as const
const rounds = 3
/** Enough that none comes twice. */
const strangers = 1_000_000
const question = `/check?scope=${asked.scope}&permission=${asked.permission}`

type Size = keyof typeof sizes
type Targets = Readonly<Record<string, Target>>

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { quick: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  })
  if (values.help) {
    process.stdout.write(usage)
    return 0
  }
  if (availableParallelism() < 2) throw new Error('Two cores are needed: one serves, one asks.')
  const progress = terminalProgress()
  await ensureDebianProgram('wrk', 'wrk', progress)
  await ensureDebianProgram('taskset', 'util-linux', progress)
  // Whatever is started from here on stays off the servers' core, unless it is told otherwise.
  execFileSync('taskset', ['--cpu-list', '--pid', String(loadCore), String(process.pid)])
  const directory = mkdtempSync(path.join(tmpdir(), 'cardea-bench-'))
  leashDirectory(directory)
  const seconds = values.quick ? 3 : 10
  try {
    progress.start(
      'Compiling the programs, seeding 1,200,100 keys and 1,002,000 sessions, starting the servers',
    )
    const world = await startWorld(directory, (text) => progress.detail(text))
    progress.done()
    progress.start('Measuring')
    const measured = await measure(world, seconds, (text) => progress.detail(text))
    progress.done()
    return report(measured)
  } finally {
    await stopDaemons()
  }
}

type World = Awaited<ReturnType<typeof startWorld>>

async function startWorld(directory: string, say: (text: string) => void) {
  const programs = buildPrograms()
  const postgres = await startPostgres(path.join(directory, 'postgres'), {})
  await makeTemplate(postgres.superuserUrl('postgres'))
  const persons = {} as Record<keyof typeof people, SeededPeople>
  const auths = {} as Record<Size, { server: Server; keys: readonly string[]; file: string }>
  for (const size of Object.keys(sizes) as Size[]) {
    await query(postgres.superuserUrl('postgres'), `create database ${size} template ${TEMPLATE}`)
    const urls = urlsOf(postgres.superuserUrl('postgres'), size)
    say(`${sizes[size].toLocaleString('en')} keys`)
    const counts = { keys: sizes[size], organizations: organizations[size], sample: sampled }
    const { keys } = await seed(urls.superuserUrl, counts)
    const file = writeKeys(directory, size, keys)
    if (size !== 'large') {
      persons[size] = await seedPeople(urls.superuserUrl, people[size])
    }
    const settings = { CARDEA_PUBLIC_URL: publicUrl }
    const server = await startAuthService(
      `auth-${size}`,
      directory,
      programs,
      urls.authUrl,
      settings,
    )
    auths[size] = { server, keys, file }
  }
  const { small, medium } = persons
  const wrong = auths.medium.keys.map(
    (key) => `${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`,
  )
  const unknown = Array.from({ length: strangers }, () => mintApiKey('ck', randomBytes(32)))
  const rivalKey = path.join(directory, 'rival')
  return {
    auths,
    hello: await startHello('node', directory),
    fastify: await startHello('fastify', directory),
    rival: await startBetterAuth(directory, rivalKey),
    rivalKey,
    wrong: writeKeys(directory, 'wrong', wrong),
    unknown: writeKeys(directory, 'unknown', unknown),
    cookies: writeKeys(directory, 'cookies', medium.cookies),
    fewCookies: writeKeys(directory, 'few-cookies', small.cookies),
    tokens: writeKeys(directory, 'tokens', medium.tokens.EdDSA),
    unseen: writeKeys(directory, 'unseen', medium.tokens.ES256),
  }
}

function writeKeys(directory: string, name: string, keys: readonly string[]): string {
  const file = path.join(directory, `${name}.keys`)
  writeFileSync(file, keys.join('\n'))
  return file
}

function targetsOf(world: World): Targets {
  const cookie = `Cookie: ${sessionCookie}=`
  const bearer = 'Authorization: Bearer '
  const plain = ({ daemon: { pid }, url }: Server, name: string): Target => {
    return { name, url, pid, connections: 64 }
  }
  const check = (size: Size, name: string, more: Partial<Target> = {}): Target => {
    const { server, file } = world.auths[size]
    return { ...plain(server, name), keys: file, path: question, ...more }
  }
  return {
    hello: plain(world.hello, 'bare node:http hello (R)'),
    fastify: plain(world.fastify, 'Fastify hello'),
    small: check('small', '/check, 100 keys'),
    medium: check('medium', '/check, 100,000 keys, 1,000,000 sessions'),
    cookies: check('medium', '/check, 1,000,000 cookies', { keys: world.cookies, header: cookie }),
    fewCookies: check('small', '/check, 2,000 cookies', {
      keys: world.fewCookies,
      header: cookie,
    }),
    tokens: check('medium', '/check, access tokens seen before', {
      keys: world.tokens,
      header: bearer,
    }),
    unseen: check('medium', '/check, access tokens unseen', { keys: world.unseen, header: bearer }),
    large: check('large', '/check, 1,000,000 keys'),
    wrong: check('medium', '/check, wrong checksums', { keys: world.wrong, denied: true }),
    unknown: check('medium', '/check, unknown keys', { keys: world.unknown, denied: true }),
    few: check('medium', '/check, 16 connections', { connections: 16 }),
    rival: {
      ...plain(world.rival, 'better-auth, 16 connections'),
      keys: world.rivalKey,
      connections: 16,
    },
  }
}

async function measure(
  world: World,
  seconds: number,
  say: (text: string) => void,
): Promise<Measured> {
  const targets = targetsOf(world)
  const memory = (size: Size) => residentMegabytes(world.auths[size].server.daemon.pid)
  const memories = () => ({
    keys: memory('keys'),
    medium: memory('medium'),
    large: memory('large'),
  })
  const loaded = memories()
  say(`Warming up, ${warmUp} s each`)
  for (const target of Object.values(targets)) await load(target, warmUp)
  const { server: plain, file } = world.auths.keys
  const connections = 64
  await load(
    { name: '', ...plain, pid: plain.daemon.pid, keys: file, path: question, connections },
    seconds,
  )
  const runs: Record<string, Run[]> = {}
  const bareVerify: number[] = []
  const lookUps: Record<string, number> = {}
  const { metrics = '' } = world.auths.medium.server
  for (let round = 1; round <= rounds; round++) {
    for (const [name, target] of [
      ...Object.entries(targets),
      ['hello', targets['hello']] as const,
    ]) {
      if (target === undefined) continue
      say(`Round ${round} of ${rounds}: ${target.name}`)
      // The unseen tokens of the round before have taken the place of those that were seen.
      if (name === 'tokens') await load(target, warmUp)
      const before = await countLookUps(metrics)
      runs[name] = [...(runs[name] ?? []), await load(target, seconds)]
      if (name === 'unseen') bareVerify.push(measureBareVerify(seconds))
      lookUps[name] = (lookUps[name] ?? 0) + (await countLookUps(metrics)) - before
    }
  }
  const used = memories()
  const { server, keys } = world.auths.medium
  const steady = async (rate: number) => {
    say(`At ${rate} requests a second`)
    const options = { url: server.url, path: question, keys, rate }
    await openLoop({ ...options, seconds: warmUp })
    return openLoop({ ...options, seconds })
  }
  return {
    targets,
    runs,
    lookUps,
    memory: { loaded, used },
    bareVerify,
    slow: await steady(1000),
    fast: await steady(10_000),
  }
}

async function countLookUps(metrics: string): Promise<number> {
  const text = await (await fetch(metrics)).text()
  const lines = text.split('\n').filter((line) => line.startsWith('cardea_read_through_total{'))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

process.exit(await main())
