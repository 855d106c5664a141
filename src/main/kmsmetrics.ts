import { Counter, Histogram, type Registry } from 'prom-client'
import { type KeyManagement, KeyManagementError } from '../kms/keymanagement.ts'

type Measured = (kms: KeyManagement) => KeyManagement

/** A registry has each metric once, however many keyrings count there. */
const measuring = new WeakMap<Registry, Measured>()

/** Wraps key managers so that each operation is counted by its outcome and timed. */
export function kmsMetrics(registry: Registry): Measured {
  const known = measuring.get(registry) ?? measure(registry)
  measuring.set(registry, known)
  return known
}

function measure(registry: Registry): Measured {
  const operations = new Counter({
    name: 'cardea_kms_operations_total',
    help: 'Operations of the key management service, by outcome: success, or what went wrong.',
    labelNames: ['provider', 'operation', 'outcome'],
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'cardea_kms_operation_seconds',
    help: 'How long an operation of the key management service takes.',
    labelNames: ['provider', 'operation'],
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })
  const timed = async <T>(provider: string, operation: string, work: Promise<T>): Promise<T> => {
    const stop = seconds.startTimer({ provider, operation })
    let outcome = 'success'
    try {
      return await work
    } catch (error) {
      outcome = error instanceof KeyManagementError ? error.code : 'fault'
      throw error
    } finally {
      stop()
      operations.inc({ provider, operation, outcome })
    }
  }
  return (kms) => {
    const { provider } = kms
    return {
      provider,
      wrap: (dataKey, context, signal) =>
        timed(provider, 'wrap', kms.wrap(dataKey, context, signal)),
      unwrap: (wrapped, context, signal) =>
        timed(provider, 'unwrap', kms.unwrap(wrapped, context, signal)),
      describe: (signal) => timed(provider, 'describe', kms.describe(signal)),
      ...(kms.close && { close: () => kms.close?.() ?? Promise.resolve() }),
    }
  }
}
