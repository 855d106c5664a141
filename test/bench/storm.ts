import { Agent, request } from 'node:http'
import { setPriority } from 'node:os'
import { quantile } from './report.ts'

/**
 * Signs people in, as many at once as it is told, for as long as it is told, and prints what came of it as JSON. A program of
 * its own, below whatever measures: storm.ts URL ORGANIZATION PASSWORD PEOPLE AT-ONCE SECONDS
 */
const [url = '', organization = '', password = '', people = '', atOnce = '', seconds = ''] =
  process.argv.slice(2)

/** People are `person-<n>@bench.example`. */
function body(n: number): string {
  const email = `person-${n % Number(people)}@bench.example`
  return JSON.stringify({ organization, email, password })
}

/** As a proxy that is trusted, unlike whoever asks for checks from the same machine. */
const localAddress = '127.0.0.2'
const agent = new Agent({ keepAlive: true, maxSockets: Number(atOnce), localAddress })
const answers = new Map<number, number>()
const latencies: number[] = []
let asked = 0

function signIn(): Promise<void> {
  const n = asked++
  const started = performance.now()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const headers = {
    'content-type': 'application/json',
    // Nobody comes often enough to be limited by their address.
    'x-forwarded-for': `10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}`,
  }
  const asking = request(
    `${url}/api/auth/login`,
    { method: 'POST', agent, localAddress, headers },
    (answer) => {
      answer.resume()
      answer.on('end', () => {
        const status = answer.statusCode ?? 0
        answers.set(status, (answers.get(status) ?? 0) + 1)
        if (status === 200) latencies.push(performance.now() - started)
        resolve()
      })
    },
  )
  asking.on('error', reject)
  asking.end(body(n))
  return promise
}

setPriority(10)
const start = performance.now()
const end = start + Number(seconds) * 1000
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    while (performance.now() < end) await signIn()
  }),
)
agent.destroy()
process.stdout.write(
  JSON.stringify({
    // Whoever was let in after the end as well: they were all asked before it.
    seconds: (performance.now() - start) / 1000,
    answers: Object.fromEntries(answers),
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
  }),
)
