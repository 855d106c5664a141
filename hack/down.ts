import { existsSync, rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { place, shown } from './local/place.ts'
import { purgePostgres } from './local/postgres.ts'
import { findSupervisor, readReady, stopSupervisor, sweepProcesses } from './local/running.ts'

const usage = `usage: ./hack/down [--purge]

Stops what ./hack/up runs. The data stay in .cardea/, and the next ./hack/up takes them up.

  --purge   remove .cardea/ too: the cluster, the database and the key that opens their Secrets
  --help    print this
`

async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      purge: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return void process.stdout.write(usage)
  const supervisor = findSupervisor()
  const context = readReady()?.context
  if (supervisor) await stopSupervisor(supervisor)
  const left = await sweepProcesses()
  process.stdout.write(supervisor || left.length > 0 ? 'Stopped.\n' : 'Nothing was running.\n')
  if (context !== undefined) {
    process.stdout.write(`The resources in the cluster of "${context}" are left as they are.\n`)
  }
  if (!values.purge) return
  const existed = existsSync(place.home)
  purgePostgres(place.postgres)
  rmSync(place.home, { recursive: true, force: true })
  if (existed) process.stdout.write(`Removed ${shown(place.home)}/.\n`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
