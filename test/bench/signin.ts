import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { hashSync } from '@node-rs/argon2'
import { stopDaemons } from '../../hack/local/daemon.ts'
import { ensureDebianProgram } from '../../hack/local/debian.ts'
import { leashDirectory } from '../../hack/local/leash.ts'
import { startPostgres } from '../../hack/local/postgres.ts'
import { terminalProgress } from '../../hack/local/progress.ts'
import { cpuSeconds, launchAuth, residentMegabytes } from '../support/program.ts'
import { makeTemplate, query, TEMPLATE, urlsOf } from '../support/template.ts'
import type { Latencies, OpenLoopOptions } from './check/openloop.ts'
import { asked, seed } from './check/seed.ts'
import { loadCore, startHello } from './check/servers.ts'
import { printTable } from './report.ts'

const usage = `usage: ./hack/bench signin [--quick]

Goal G10: 200 people sign in at once, again and again, while /check is asked 1,000 times a second. The auth service, its hashing
process included, has one core; the load and PostgreSQL have the other. A server that says hello is asked in the same storm, from the
same core: what it is delayed by as well is not Cardea's. Exits 1 when a goal is missed by more than 15 %.

  --quick   runs of 4 seconds in place of 10
`
const people = 2000
const atOnce = 200
const rate = 1000
const warmUp = 2
const rounds = 3
/** A nice value is not enough: whoever runs goes on for milliseconds first. */
const ahead = ['chrt', '--fifo', '1'] as const
const organization = 'bench'
const password = 'seven purple lanterns adrift'
const question = `/check?scope=${asked.scope}&permission=${asked.permission}`
/** A figure that misses its goal by less than this is within what the machine does by itself. */
const slack = 0.15

interface Storm {
  readonly seconds: number
  readonly answers: Readonly<Record<string, number>>
  readonly p50: number
  readonly p99: number
}

interface Measured {
  readonly calm: Latencies
  readonly stormy: Latencies
  /** The same of a server that does nothing. */
  readonly hello: { readonly calm: Latencies; readonly stormy: Latencies }
  /** Sign-ins a second without checks. */
  readonly alone: number
  readonly storm: Storm
  /** CPU seconds of a thousand sign-ins, in the service and in what hashes for it. */
  readonly cpu: { readonly service: number; readonly hashing: number }
  readonly memory: { readonly service: number; readonly hashing: number }
}

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
  await ensureDebianProgram('taskset', 'util-linux', progress)
  execFileSync('taskset', ['--cpu-list', '--pid', String(loadCore), String(process.pid)])
  const directory = mkdtempSync(path.join(tmpdir(), 'cardea-bench-'))
  leashDirectory(directory)
  try {
    progress.start('Seeding people, starting the servers')
    const world = await startWorld(directory)
    progress.done()
    progress.start('Measuring')
    const say = (text: string) => progress.detail(text)
    const measured = await measure(world, values.quick ? 4 : 10, say)
    progress.done()
    return report(measured)
  } finally {
    await stopDaemons()
  }
}

async function startWorld(directory: string) {
  const postgres = await startPostgres(path.join(directory, 'postgres'), {})
  await makeTemplate(postgres.superuserUrl('postgres'))
  await query(postgres.superuserUrl('postgres'), `create database signin template ${TEMPLATE}`)
  const urls = urlsOf(postgres.superuserUrl('postgres'), 'signin')
  const counts = { keys: 1000, organizations: 10, sample: 1000 }
  const { keys } = await seed(urls.superuserUrl, counts)
  const hash = hashSync(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  await query(
    urls.superuserUrl,
    `with o as (
       insert into cardea.organizations (name, display_name, managed_by) values ('${organization}', 'Bench', 'api') returning id
     ), u as (
       insert into cardea.users (organization_id, email, email_verified_at)
       select o.id, 'person-' || n || '@bench.example', now() from o, generate_series(0, ${people - 1}) n
       returning organization_id, id
     )
     insert into cardea.passwords (organization_id, user_id, hash) select organization_id, id, '${hash}' from u`,
  )
  const auth = await launchAuth({
    directory,
    databaseUrl: urls.authUrl,
    name: 'auth',
    prefix: ['taskset', '--cpu-list', '0'],
    settings: {
      CARDEA_LOG_LEVEL: 'warn',
      CARDEA_PUBLIC_URL: 'http://127.0.0.1:8080',
      CARDEA_TRUSTED_PROXIES: '127.0.0.2/32',
    },
  })
  await auth.ready()
  const hello = await startHello('node', directory)
  return { auth, hello, keys }
}

async function measure(
  { auth, hello, keys }: Awaited<ReturnType<typeof startWorld>>,
  seconds: number,
  say: (text: string) => void,
): Promise<Measured> {
  const check = (length: number) =>
    ask({ url: auth.url, path: question, keys, rate, seconds: length, rests: true })
  const greet = () =>
    ask({ url: hello.url, path: '/', keys, rate, seconds: seconds / 2, rests: true })
  say('Warming up')
  await storm(auth.url, warmUp)
  await check(warmUp)
  const rates: number[] = []
  const calm: Latencies[] = []
  const stormy: Latencies[] = []
  const greeted = { calm: [] as Latencies[], stormy: [] as Latencies[] }
  const storms: Storm[] = []
  const { pid } = auth.daemon
  const hashing = hashingProcess(pid)
  const cpu = { service: 0, hashing: 0 }
  let signIns = 0
  for (let round = 1; round <= rounds; round++) {
    say(`Round ${round} of ${rounds}: checks`)
    calm.push(await check(seconds))
    greeted.calm.push(await greet())
    say(`Round ${round} of ${rounds}: sign-ins`)
    const before = [cpuSeconds(pid), cpuSeconds(hashing)] as const
    const alone = await storm(auth.url, seconds)
    cpu.service += cpuSeconds(pid) - before[0]
    cpu.hashing += cpuSeconds(hashing) - before[1]
    signIns += alone.answers['200'] ?? 0
    rates.push((alone.answers['200'] ?? 0) / alone.seconds)
    say(`Round ${round} of ${rounds}: both`)
    const storming = storm(auth.url, 1.5 * seconds + warmUp)
    await new Promise((resolve) => {
      setTimeout(resolve, 1000)
    })
    stormy.push(await check(seconds))
    greeted.stormy.push(await greet())
    storms.push(await storming)
  }
  const middle = <T>(list: readonly T[], of: (each: T) => number): T =>
    list.toSorted((a, b) => of(a) - of(b))[Math.floor(list.length / 2)] as T
  const byP99 = (list: readonly Latencies[]) => middle(list, ({ p99 }) => p99)
  return {
    calm: byP99(calm),
    stormy: byP99(stormy),
    hello: { calm: byP99(greeted.calm), stormy: byP99(greeted.stormy) },
    alone: middle(rates, (each) => each),
    storm: middle(storms, ({ p50 }) => p50),
    cpu: { service: (cpu.service / signIns) * 1000, hashing: (cpu.hashing / signIns) * 1000 },
    memory: { service: residentMegabytes(pid), hashing: residentMegabytes(hashing) },
  }
}

/** Ahead of PostgreSQL and the storm, which have the same core, where this process may say so. */
async function ask(options: OpenLoopOptions): Promise<Latencies> {
  const script = path.join(import.meta.dirname, 'ask.ts')
  const [command, ...args] = goesAhead()
    ? [...ahead, process.execPath, script]
    : [process.execPath, script]
  const asking = promisify(execFile)(command, args)
  asking.child.stdin?.end(JSON.stringify(options))
  return JSON.parse((await asking).stdout) as Latencies
}

function goesAhead(): boolean {
  const [command, ...args] = ahead
  return spawnSync(command, [...args, 'true']).status === 0
}

async function storm(url: string, seconds: number): Promise<Storm> {
  const script = path.join(import.meta.dirname, 'storm.ts')
  const args = [url, organization, password, people, atOnce, seconds].map(String)
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args])
  return JSON.parse(stdout) as Storm
}

/** The process that hashes for the service: its only child. */
function hashingProcess(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const [child] = tasks.flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean),
  )
  if (child === undefined) throw new Error('nothing hashes for the service')
  return Number(child)
}

function report({ calm, stormy, hello, alone, storm: last, cpu, memory }: Measured): number {
  const milliseconds = (value: number) => `${value.toFixed(2)} ms`
  const quantiles = ({ p50, p99 }: Pick<Latencies, 'p50' | 'p99'>) =>
    `p50 ${milliseconds(p50)}, p99 ${milliseconds(p99)}`
  const told = Object.entries(last.answers).map(([status, count]) => `${count} × ${status}`)
  printTable(
    ['what', 'measured'],
    [
      ['/check, 1,000 a second, alone', quantiles(calm)],
      ['  in a storm of sign-ins', quantiles(stormy)],
      ['  a server that says hello, alone', quantiles(hello.calm)],
      ['  the same in the storm', quantiles(hello.stormy)],
      ['  answers that were not 200', String(calm.wrong + stormy.wrong)],
      ['sign-ins a second, 200 at once', alone.toFixed(1)],
      ['  while checks are asked', ((last.answers['200'] ?? 0) / last.seconds).toFixed(1)],
      ['  how long each took then', quantiles(last)],
      ['  what they were answered', told.join(', ')],
      ['CPU of a sign-in: service', milliseconds(cpu.service)],
      ['  hashing', milliseconds(cpu.hashing)],
      ['memory: service', `${memory.service.toFixed(0)} MB`],
      ['  hashing', `${memory.hashing.toFixed(0)} MB`],
    ],
  )
  const goals = [
    { what: 'sign-ins a second and core', measured: alone, bound: 90, least: true },
    {
      what: 'p99 of /check, in a storm ÷ alone',
      measured: stormy.p99 / calm.p99,
      bound: 2,
      least: false,
    },
  ]
  process.stdout.write('\n')
  printTable(
    ['goal', 'what', 'measured', 'bound', ''],
    goals.map(({ what, measured, bound, least }) => [
      'G10',
      what,
      measured.toFixed(2),
      `${least ? '≥' : '≤'} ${bound}`,
      verdict(measured, bound, least),
    ]),
  )
  const missed = goals.some((goal) => verdict(goal.measured, goal.bound, goal.least) === 'MISSED')
  return missed || calm.wrong + stormy.wrong > 0 ? 1 : 0
}

function verdict(measured: number, bound: number, least: boolean): string {
  const reached = least ? measured / bound : bound / measured
  if (reached >= 1) return 'reached'
  return reached >= 1 - slack ? 'nearly' : 'MISSED'
}

process.exit(await main())
