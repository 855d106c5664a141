import { hostname } from 'node:os'
import { AuthService } from '../auth/service.ts'
import { type AuthConfig, readAuthConfig } from '../config/auth.ts'
import { openPool } from '../db/pool.ts'
import { waitForSchema } from '../db/schema.ts'
import { explainEnd } from './end.ts'
import { listening } from './listen.ts'
import { openLogger } from './logger.ts'
import { releaseMemory } from './memory.ts'
import { openPeopleBackend } from './people.ts'
import { serveProbes } from './probes.ts'
import { addProcessMetrics } from './processmetrics.ts'
import { openVaultBackend } from './vault.ts'
import { version } from './version.ts'

const name = 'cardea-auth'

/** `cardea auth`: runs until it is told to stop. @returns the exit code */
export async function runAuth(): Promise<number> {
  try {
    return await run(readAuthConfig(process.env, `${hostname()}-${process.pid}`))
  } catch (error) {
    return explainEnd(error, name)
  }
}

async function run(config: AuthConfig): Promise<number> {
  const logger = openLogger(config.logLevel, name)
  const stopping = new AbortController()
  const { promise: ended, resolve: end } = Promise.withResolvers<number>()
  const stop = (code: number): void => {
    stopping.abort()
    end(code)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop(0))
  // Nobody awaited it, so nobody's state depends on it: the service goes on.
  process.on('unhandledRejection', (error) => {
    logger.error({ err: error }, 'a rejection was not handled')
  })
  // What was interrupted here may be half done: end in order, and start afresh.
  process.once('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'an exception was not caught')
    stop(1)
  })

  const pool = openPool({
    connectionString: config.databaseUrl,
    applicationName: name,
    log: logger,
    max: 4,
  })
  const { kms } = config
  const vault = kms && openVaultBackend({ ...config, kms }, logger)
  if (!vault) logger.info({}, 'CARDEA_KMS is not set: no credential of a third party is given out')
  const people = config.people && openPeopleBackend({ ...config, people: config.people }, logger)
  const service = new AuthService({
    ...config,
    pool,
    vault,
    people,
    log: logger,
    version,
    onLoaded: releaseMemory,
  })
  addProcessMetrics(service.registry)
  const probes = await listening(
    'CARDEA_METRICS_LISTEN',
    serveProbes(config.metricsListen, {
      registry: service.registry,
      unready: () => service.unready(),
    }),
  )
  logger.info({ version, metrics: probes.address() }, 'started')
  try {
    await waitForSchema(pool, logger, stopping.signal)
    const port = await listening('CARDEA_LISTEN', service.start())
    logger.info({ host: config.listen.host, port, replica: config.replicaId }, 'listening')
    const code = await ended
    logger.info({}, 'draining')
    await service.stop()
    return code
  } catch (error) {
    if (stopping.signal.aborted) return await ended
    throw error
  } finally {
    probes.close()
    probes.closeAllConnections()
    await Promise.all([pool.end(), vault?.close(), people?.close()])
    logger.info({}, 'stopped')
  }
}

if (import.meta.main) process.exit(await runAuth())
