import { once } from 'node:events'
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Sends bytes as they are and reads what comes back until the other side ends the connection; for what no HTTP client would
 * send. Ask for `Connection: close`.
 */
export async function sendRaw(url: string, request: string | Buffer): Promise<RawAnswer> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.setTimeout(20_000, () => socket.destroy())
  await once(socket, 'connect')
  socket.write(typeof request === 'string' ? Buffer.from(request, 'latin1') : request)
  await once(socket, 'close')
  return readAnswer(Buffer.concat(chunks).toString('latin1'))
}

/** A GET with these headers, in this order and spelling. */
export function rawGet(path: string, headers: readonly (readonly [string, string])[]): string {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\nHost: auth.example\r\n${lines.join('')}Connection: close\r\n\r\n`
}

function readAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(
      lines.map((line) => {
        const colon = line.indexOf(':')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
      }),
    ),
    body: text.slice(end + 4),
  }
}
