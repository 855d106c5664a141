import { Pool } from 'pg'
import { Client } from './client.ts'

/** Where the database's troubles go: pino's shape, so that a logger fits as it is. */
export interface DatabaseLog {
  info(detail: object, message: string): void
  warn(detail: object, message: string): void
}

export interface PoolOptions {
  readonly connectionString: string
  /** Shown in pg_stat_activity. */
  readonly applicationName: string
  readonly log: DatabaseLog
  /** Connections at most; 10 when left out. */
  readonly max?: number
  /** Milliseconds to wait for a connection, free or new; 3 s when left out. */
  readonly connectTimeout?: number
  /** Milliseconds that one query may take before its connection is given up; 10 s when left out. */
  readonly queryTimeout?: number
}

/**
 * Opens a pool that never waits for ever: to connect, for a free connection, or for an answer.
 * It sets nothing on a session, because PgBouncer in transaction mode would hand the setting to somebody else.
 */
export function openPool(options: PoolOptions): Pool {
  const pool = new Pool({
    Client,
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.max ?? 10,
    connectionTimeoutMillis: options.connectTimeout ?? 3000,
    idleTimeoutMillis: 30_000,
    // A connection that outlives a failover behind a virtual address would stay with the old server.
    maxLifetimeSeconds: 1800,
    query_timeout: options.queryTimeout ?? 10_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    allowExitOnIdle: true,
  })
  if (/[?&]sslmode=disable(&|$)/.test(options.connectionString)) {
    options.log.warn({}, 'the connection to PostgreSQL is not encrypted: sslmode=disable')
  }
  // Without a listener, a connection that the server closes would end the process: while it is idle, the pool's; between
  // two statements of a transaction, its own, which need not say anything since the next statement fails.
  pool.on('connect', (client) => client.on('error', () => {}))
  pool.on('error', (error) => {
    options.log.warn({ error: error.message }, 'an idle database connection was lost')
  })
  return pool
}
