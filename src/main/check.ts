import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const help = `Usage: cardea check [OPTIONS] < CREDENTIAL

Asks the auth service about an API key, which is read from standard input so that it stays out of the process list and
the shell's history. Exits 0 when it is allowed, 1 when it is not, 2 when the question could not be asked.

  --url URL           the auth service; default: CARDEA_URL
  --scope SCOPE       a scope that is needed; may be given several times
  --permission P      a permission that is needed: resource:verb
  --project NAME      the project that it is for
  --origin ORIGIN     as a browser of that origin would
`

/** `cardea check`. */
export async function runCheck(args: readonly string[]): Promise<number> {
  const options = read(args)
  if (options instanceof Error) return fail(`${options.message}; see cardea check --help`)
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  const base = options.url ?? process.env['CARDEA_URL']
  if (!base || !URL.canParse(base))
    return fail('say where the auth service is: --url URL, or set CARDEA_URL')
  const credential = readFileSync(0, 'utf8').trim()
  if (credential === '') return fail('no credential on standard input')
  const url = new URL('/check', base)
  if (options.scope) url.searchParams.set('scope', options.scope.join(' '))
  if (options.permission) url.searchParams.set('permission', options.permission)
  if (options.project) url.searchParams.set('project', options.project)
  const headers = { 'x-api-key': credential, ...(options.origin && { origin: options.origin }) }
  try {
    const answer = await fetch(url, {
      headers,
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    })
    const body = await answer.text()
    process.stdout.write(`${answer.status} ${body}\n`)
    return answer.ok ? 0 : answer.status >= 500 ? 2 : 1
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined
    return fail(`${url.origin} does not answer: ${cause?.code ?? (error as Error).message}`)
  }
}

function read(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        url: { type: 'string' },
        scope: { type: 'string', multiple: true },
        permission: { type: 'string' },
        project: { type: 'string' },
        origin: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    return values
  } catch (error) {
    return error as Error
  }
}

function fail(message: string): number {
  process.stderr.write(`cardea check: ${message}\n`)
  return 2
}
