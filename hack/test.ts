import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ensureDebianProgram } from './local/debian.ts'
import { elapsed, terminalProgress } from './local/progress.ts'
import { ensurePythonPackages } from './local/pypi.ts'
import { type Check, checks, choose, type Need, type Project, projects } from './local/suite.ts'
import { add, countReport, describe, type Report, type Tally } from './local/tally.ts'
import { ensureTools } from './local/tools.ts'

const list = [...checks, ...projects].map(({ name, about }) => `  ${name.padEnd(12)} ${about}`)
const usage = `usage: ./hack/test [NAME…] [-- VITEST ARGUMENT…]

Runs the suites named, or all of them:

${list.join('\n')}

Everything runs on real components, which it finds, builds once or installs. The last line is
"N passed, N failed, N skipped"; the exit code is 0 only when nothing failed and every suite had a test.

  ./hack/test unit types          two suites
  ./hack/test integration -- -t 'expires'     only the tests of that name
`

/** A suite that hangs must not hang a build machine for hours. */
const PROJECT_LIMIT_MS = 30 * 60_000
const SIDE_BY_SIDE = 2
const OK: Tally = { passed: 1, failed: 0, skipped: 0 }
const FAILED: Tally = { passed: 0, failed: 1, skipped: 0 }

const progress = terminalProgress(process.stdout)
const interruption = new AbortController()

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(usage)
    return 0
  }
  const split = args.includes('--') ? args.indexOf('--') : args.length
  const chosen = choose(args.slice(0, split))
  // The suites get the signal too, end in their own time, and clean up; then this does.
  process.on('SIGINT', () => interruption.abort())

  const lacking = await provide([...chosen.checks, ...chosen.projects])
  const isReady = ({ needs }: Check | Project): boolean => !needs.some((need) => lacking.has(need))
  const run = [...chosen.checks, ...chosen.projects]
  let total = run.filter((suite) => !isReady(suite)).reduce((sum) => add(sum, FAILED), nothing())
  for (const tally of await runChecks(chosen.checks.filter(isReady))) total = add(total, tally)
  for (const project of chosen.projects.filter(isReady)) {
    if (!interruption.signal.aborted)
      total = add(total, await runProject(project, args.slice(split + 1)))
  }
  process.stdout.write(`\n${describe(total)}\n`)
  if (interruption.signal.aborted) return 130
  return total.failed > 0 ? 1 : 0
}

function nothing(): Tally {
  return { passed: 0, failed: 0, skipped: 0 }
}

/** Finds, builds or installs what the suites need, and answers what could not be had. */
async function provide(suites: readonly (Check | Project)[]): Promise<ReadonlySet<Need>> {
  const providers: Record<Need, () => Promise<unknown>> = {
    'cluster tools': () => ensureTools(progress),
    'key managers': async () => {
      await ensurePythonPackages('ministack', progress)
      await ensurePythonPackages('openbao', progress)
    },
    prometheus: () => ensureDebianProgram('promtool', 'prometheus', progress),
    nginx: () => ensureDebianProgram('nginx', 'nginx-light', progress),
    redis: () => ensureDebianProgram('redis-server', 'redis-server', progress),
  }
  const lacking = new Set<Need>()
  for (const need of new Set(suites.flatMap(({ needs }) => needs))) {
    try {
      await providers[need]()
    } catch (error) {
      progress.fail()
      lacking.add(need)
      const suffering = suites.filter(({ needs }) => needs.includes(need)).map(({ name }) => name)
      progress.say(
        `✗ ${suffering.join(', ')} · ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }
  return lacking
}

async function runChecks(waiting: readonly Check[]): Promise<readonly Tally[]> {
  const queue = [...waiting]
  const tallies: Tally[] = []
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next && !interruption.signal.aborted; next = queue.shift()) {
      tallies.push(await runCheck(next))
    }
  }
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work))
  return tallies
}

function runCheck({ name, about, command: [program, ...args] }: Check): Promise<Tally> {
  return new Promise((resolve) => {
    const startedAt = Date.now()
    const said: Buffer[] = []
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    const end = (passed: boolean): void => {
      progress.say(`${passed ? '✓' : '✗'} ${name} · ${about} · ${elapsed(startedAt)}`)
      if (!passed) progress.say(Buffer.concat(said).toString().trimEnd())
      resolve(passed ? OK : FAILED)
    }
    child.once('error', (error) => {
      said.push(Buffer.from(error.message))
      end(false)
    })
    child.once('close', (code) => end(code === 0))
  })
}

async function runProject({ name, about }: Project, more: readonly string[]): Promise<Tally> {
  progress.say(`\n── ${name} · ${about}`)
  const startedAt = Date.now()
  const folder = mkdtempSync(path.join(tmpdir(), 'cardea-test-'))
  const report = path.join(folder, 'report.json')
  try {
    const exitCode = await runVitest([
      'run',
      `--project=${name}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...more,
    ])
    const tally = countReport(read(report), exitCode)
    const mark = tally.failed > 0 ? '✗' : '✓'
    progress.say(`${mark} ${name} · ${describe(tally)} · ${elapsed(startedAt)}`)
    return tally
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function runVitest(args: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const vitest = path.join('node_modules', 'vitest', 'vitest.mjs')
    const child = spawn(process.execPath, [vitest, ...args], { stdio: 'inherit' })
    const tooLong = setTimeout(() => {
      progress.say(`It did not end within ${PROJECT_LIMIT_MS / 60_000} minutes and is stopped.`)
      child.kill('SIGKILL')
    }, PROJECT_LIMIT_MS)
    child.once('close', (code) => {
      clearTimeout(tooLong)
      resolve(code ?? 1)
    })
  })
}

function read(report: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return undefined
  }
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  progress.fail()
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
