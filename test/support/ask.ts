import { Agent, request } from 'node:http'
import type { Loose } from './kube.ts'

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number
  /** Names as they were written, and values, in turn. */
  readonly rawHeaders: readonly string[]
  /** The values of a header, whatever the spelling of its name. */
  all(name: string): readonly string[]
  readonly body: string
  /** The body as JSON. */
  readonly json: Loose
}

export interface Question {
  readonly method?: string
  /** Pairs, so that a name may come twice and in any spelling. */
  readonly headers?: readonly (readonly [name: string, value: string])[]
  readonly body?: string
  readonly timeout?: number
}

/** Connections are kept, as proxies keep them. */
const agent = new Agent({ keepAlive: true, maxSockets: 256 })

/** Sends one request, exactly as it is told. Throws when no answer comes. */
export function ask(url: string | URL, question: Question = {}): Promise<Answer> {
  const { method = 'GET', headers = [], body, timeout = 10_000 } = question
  const target = new URL(url)
  const length =
    body === undefined ? [] : ([['content-length', String(Buffer.byteLength(body))]] as const)
  const named = headers.some(([name]) => name.toLowerCase() === 'host')
  const host = named ? [] : ([['host', target.host]] as const)
  const all = [...host, ...length, ...headers]
  return new Promise((resolve, reject) => {
    const outgoing = request(
      target,
      { method, agent, timeout, headers: all.flat() },
      (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.once('error', reject)
        incoming.once('end', () =>
          resolve(answerOf(incoming.statusCode ?? 0, incoming.rawHeaders, Buffer.concat(chunks))),
        )
      },
    )
    outgoing.once('timeout', () => outgoing.destroy(new Error(`no answer from ${target.href}`)))
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

/** A credential as a request shows it: an API key's text, or any headers with what is asked beside. */
export type Shown =
  | string
  | { readonly headers: NonNullable<Question['headers']>; readonly query?: string }

/** The status of a check with this credential. */
export async function check(url: string, shown: Shown, query = ''): Promise<number> {
  const isKey = typeof shown === 'string'
  const headers = isKey ? ([['x-api-key', shown]] as const) : shown.headers
  const asked = isKey ? query : (shown.query ?? query)
  return (await ask(`${url}/check${asked}`, { headers })).status
}

function answerOf(status: number, rawHeaders: readonly string[], content: Buffer): Answer {
  const body = content.toString()
  return {
    status,
    rawHeaders,
    all: (name) =>
      rawHeaders.filter(
        (_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name.toLowerCase(),
      ),
    body,
    get json() {
      return JSON.parse(body)
    },
  }
}
