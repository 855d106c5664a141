import { FencedError } from '../db/transaction.ts'
import { ApiError, LeaseLostError, TransportError } from '../k8s/errors.ts'
import type { CustomResource } from '../k8s/object.ts'
import type { Reconciler } from '../k8s/reconciler.ts'

/** What a database that does not answer throws: SQLSTATE classes 08, 53 and 57P, and the socket's own. */
const unavailable = /^(08|53|57P|ECONN|EPIPE|ENOTFOUND|ETIMEDOUT|EAI_AGAIN)/
const neverConnected =
  /timeout exceeded when trying to connect|Connection terminated|Query read timeout/

/** The database did not answer; people are told so, and the log gets the cause. */
class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError'
  readonly publicMessage =
    'PostgreSQL did not answer. What is in force stays in force, and the operator tries again.'
}

/**
 * A reconciler whose database faults are said in the runtime's words: a fenced write means that the leadership is lost,
 * and `onFenced` is told so that the program ends.
 */
export function guarded<T extends CustomResource>(
  reconciler: Reconciler<T>,
  onFenced: () => void,
): Reconciler<T> {
  const guard = async <R>(pass: Promise<R>): Promise<R> => {
    try {
      return await pass
    } catch (error) {
      // The Kubernetes client's faults have a sentence of their own, and a socket's code as their cause.
      if (error instanceof ApiError || error instanceof TransportError) throw error
      const fault = causeOf(error)
      if (fault instanceof FencedError) {
        onFenced()
        throw new LeaseLostError(fault.message, { cause: error })
      }
      if (isUnavailable(fault)) throw new DatabaseUnavailableError(fault.message, { cause: error })
      throw error
    }
  }
  return {
    resource: reconciler.resource,
    references: (object) => reconciler.references(object),
    reconcile: (object, context) => guard(reconciler.reconcile(object, context)),
    finalize: (object, context) => guard(reconciler.finalize(object, context)),
  }
}

/** Drizzle wraps what the driver threw. */
function causeOf(error: unknown): Error {
  const fault = error instanceof Error ? error : new Error(String(error))
  return fault.cause instanceof Error ? causeOf(fault.cause) : fault
}

function isUnavailable(fault: Error): boolean {
  const code = 'code' in fault && typeof fault.code === 'string' ? fault.code : ''
  return unavailable.test(code) || neverConnected.test(fault.message)
}
