import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { terminalProgress } from './local/progress.ts'
import { ensureTools } from './local/tools.ts'

const benches = {
  check: 'the request-time decision, beside a bare node:http, a Fastify hello and better-auth',
  signin: 'people who sign in, two hundred at once, and what the checks notice of them',
  operator: 'thousands of resources to Ready, the writes for each, memory, a restart',
  rotation: 'a new version of a key under ten thousand envelopes, while requests are checked',
} as const

const list = Object.entries(benches).map(([name, about]) => `  ${name.padEnd(10)} ${about}`)
const usage = `usage: ./hack/bench [NAME [ARGUMENT…]]

Runs a benchmark, or all of them one after the other, and prints its ratios. Leave the machine alone meanwhile.

${list.join('\n')}

  ./hack/bench NAME --help    what it takes
`

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === '--help' || name === '-h') {
    process.stdout.write(usage)
    return 0
  }
  const chosen = Object.keys(benches).filter((each) => name === undefined || each === name)
  if (chosen.length === 0) {
    process.stderr.write(`There is no benchmark "${name}".\n\n${usage}`)
    return 2
  }
  await ensureTools(terminalProgress())
  return Math.max(...chosen.map((each) => run(each, rest)))
}

function run(name: string, args: readonly string[]): number {
  const script = path.join(import.meta.dirname, '..', 'test', 'bench', `${name}.ts`)
  if (!existsSync(script)) throw new Error(`${script} is missing.`)
  return spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' }).status ?? 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
