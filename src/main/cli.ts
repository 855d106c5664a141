#!/usr/bin/env node
import { version } from './version.ts'

const help = `cardea - business identity as Kubernetes resources

Usage: cardea COMMAND [OPTIONS]

  unwrap NAME         print the secret that a wrapped Secret holds
  check               ask the auth service about a credential
  migrate             bring the database to this program's schema
  operator            run the operator
  auth                run the auth service
  version             print the version

  cardea COMMAND --help tells more. For a start:

    cardea unwrap -n acme ci-key | cardea check --scope scans:read
`

type Command = (args: readonly string[]) => Promise<number>

const commands: Readonly<Record<string, () => Promise<Command>>> = {
  unwrap: async () => (await import('./unwrap.ts')).runUnwrap,
  check: async () => (await import('./check.ts')).runCheck,
  migrate: async () => {
    const { runMigrate } = await import('./migrate.ts')
    return async (args) => (args.includes('--help') ? print(migrateHelp) : runMigrate())
  },
  operator: async () => {
    const { runOperator } = await import('./operator.ts')
    return async (args) => (args.includes('--help') ? print(programHelp) : runOperator())
  },
  auth: async () => {
    const { runAuth } = await import('./auth.ts')
    return async (args) => (args.includes('--help') ? print(programHelp) : runAuth())
  },
  version: async () => async () => print(`cardea ${version}\n`),
}

const programHelp = `Usage: cardea operator
       cardea auth

Runs the program until SIGTERM or SIGINT. Both are told what to do by environment variables; a missing or wrong one
stops them with its name. docs/operations/settings.md lists them, and ./hack/up shows a set that works.
`

const migrateHelp = `Usage: cardea migrate

Brings the database to this program's schema: each migration in a transaction, one migrator at a time. Refuses a
database that is newer than the program.

  CARDEA_DATABASE_URL            the role cardea_migrate
  CARDEA_ADMIN_DATABASE_URL      optional: a role that may create roles; makes the roles and the schema first, and
  CARDEA_OPERATOR_DATABASE_URL   gives the roles the passwords
  CARDEA_AUTH_DATABASE_URL       of these two and of the first
`

function print(text: string): number {
  process.stdout.write(text)
  return 0
}

async function main(): Promise<number> {
  const [name, ...args] = process.argv.slice(2)
  if (name === undefined || name === '--help' || name === '-h' || name === 'help')
    return print(help)
  if (name === '--version' || name === '-v') return print(`cardea ${version}\n`)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    process.stderr.write(`cardea: there is no command "${name}": see cardea --help\n`)
    return 2
  }
  return (await command())(args)
}

process.exitCode = await main()
