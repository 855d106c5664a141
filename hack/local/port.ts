import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

// Below the range from which Linux and macOS take the ports of outgoing connections: a load test's connections can
// never sit on a port between its choice here and its use by the server.
const LOWEST = 20_000
const HIGHEST = 32_000
const ATTEMPTS = 50

/**
 * A loopback port that nobody listens on: `preferred` where it is free, otherwise any.
 *
 * @throws when fifty ports in a row were taken.
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST, HIGHEST)
    if (await isFree(port)) return port
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST}`)
}

/**
 * A port for each purpose: its usual one where that is free, otherwise any.
 *
 * @param usual the purposes, each with its usual port.
 * @returns the port of a purpose.
 */
export async function freePorts(
  usual: ReadonlyMap<string, number>,
): Promise<(purpose: string) => number> {
  const chosen = new Map<string, number>()
  for (const [purpose, port] of usual) chosen.set(purpose, await freePort(port))
  return (purpose) => {
    const port = chosen.get(purpose)
    if (port === undefined) throw new Error(`no port was chosen for ${purpose}`)
    return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      probe.close(() => resolve(true)),
    )
  })
}
