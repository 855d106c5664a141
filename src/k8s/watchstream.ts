import { ApiError, TransportError } from './errors.ts'
import type { KubeObject } from './object.ts'

/** metav1.WatchEvent. A bookmark carries nothing but a resource version. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

/** etcd refuses objects over 1.5 MiB; what is longer than this is not an event. */
const LONGEST_LINE = 16 * 1024 * 1024

/**
 * Reads the events of a watch's body, one JSON document a line.
 * @throws ApiError for an ERROR event (410 among them), TransportError for anything that is not an
 *   event, half a line at the end, or a connection that was cut. Nothing is swallowed: an event that
 *   is missed is a change that nobody hears of.
 */
export async function* readEvents<T extends KubeObject>(
  body: AsyncIterable<Uint8Array>,
  decode: (object: unknown) => T,
  call: string,
): AsyncGenerator<WatchEvent<T>, void, undefined> {
  const decoder = new TextDecoder()
  let pending = ''
  try {
    for await (const chunk of body) {
      const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n')
      pending = lines.pop() ?? ''
      if (pending.length > LONGEST_LINE) throw new TransportError(call, 'EMSGSIZE')
      for (const line of lines) if (line !== '') yield toEvent(line, decode, call)
    }
  } catch (error) {
    if (error instanceof ApiError || error instanceof TransportError) throw error
    throw new TransportError(call, codeOf(error), error)
  }
  if (pending !== '') throw new TransportError(call, 'EBADMSG')
}

interface RawEvent {
  readonly type?: string | undefined
  readonly object?: {
    readonly metadata?: { readonly name?: string; readonly resourceVersion?: string }
    readonly code?: number
    readonly reason?: string
    readonly message?: string
  }
}

function toEvent<T extends KubeObject>(
  line: string,
  decode: (object: unknown) => T,
  call: string,
): WatchEvent<T> {
  const { type, object } = JSON.parse(line) as RawEvent
  if (type === 'ERROR') {
    const { code = 500, reason = 'Unknown', message = '' } = object ?? {}
    throw new ApiError(call, code, reason, message)
  }
  const resourceVersion = object?.metadata?.resourceVersion
  if (resourceVersion && type === 'BOOKMARK') return { type, resourceVersion }
  if (resourceVersion && (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED')) {
    return { type, object: decode(object) }
  }
  throw new TransportError(call, 'EBADMSG')
}

function codeOf(error: unknown): string {
  if (error instanceof SyntaxError) return 'EBADMSG'
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : 'ECONNRESET'
}
