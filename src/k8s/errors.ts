/**
 * Faults, and what people are shown of them. An error's `message` may hold anything: a query, a
 * host, a value that a server refused. It goes to the log. What goes to a status or an event is its
 * `publicMessage`, written for that, or a sentence that says nothing about the inside.
 */

/** Somebody else changed the object between our read and our write: try again, tell nobody. */
export class ConflictError extends Error {
  override readonly name: string = 'ConflictError'
}

/** This process does not lead any more: it must not write, nor say anything. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError'
}

/** The sentence to show people for a fault: the error's `publicMessage` if it carries one. */
export function publicMessageOf(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'publicMessage' in error) {
    if (typeof error.publicMessage === 'string') return error.publicMessage
  }
  return 'An internal error occurred, and it is tried again. The log of the operator has the details.'
}
