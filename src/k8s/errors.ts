import type { ResourceKind } from './object.ts'

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

/** metav1.StatusDetails: what a refusal is about. `kind` is the plural. */
export interface StatusDetails {
  readonly group?: string | undefined
  readonly kind?: string | undefined
  readonly name?: string | undefined
}

/** The answer of an API server that refused. `reason` is metav1.StatusReason. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly reason: string
  /** Without the server's text: it may repeat the value that it refused. */
  readonly publicMessage: string
  readonly details: StatusDetails

  constructor(
    call: string,
    status: number,
    reason: string,
    message: string,
    details: StatusDetails = {},
  ) {
    super(`${call}: ${status} ${reason}: ${message.slice(0, 2048)}`)
    this.details = details
    this.status = status
    this.reason = reason
    this.publicMessage = `The Kubernetes API server refused to ${call} (${status} ${reason}); it is tried again.`
  }
}

/** No answer: the connection failed, was cut, or took too long. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  /** Such as ECONNRESET, or ETIMEDOUT for a deadline of ours. */
  readonly code: string
  readonly publicMessage = 'The Kubernetes API server does not answer; it is tried again.'

  constructor(call: string, code: string, cause?: unknown) {
    super(`${call}: ${code}`, { cause })
    this.code = code
  }
}

/** Whether somebody else changed, or replaced, the object before our write. */
export function isConflict(error: unknown): boolean {
  if (error instanceof ConflictError) return true
  return error instanceof ApiError && error.status === 409 && error.reason === 'Conflict'
}

/** Whether the server says that there is no object of this kind and name, and not that it knows no such kind. */
export function isAbsence(error: unknown, kind: ResourceKind, name: string): boolean {
  if (!(error instanceof ApiError) || error.reason !== 'NotFound') return false
  const { details } = error
  return (
    (details.group ?? '') === kind.group && details.kind === kind.plural && details.name === name
  )
}

export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404
}

/** Whether a list or a watch must start over: its resource version is too old. */
export function isGone(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === 'Expired')
}
