import type { IncomingMessage } from 'node:http'

/** Bytes beyond the limit that are still read, so that whoever sends a little too much hears why. */
const patience = 1_048_576

/**
 * Reads a body to its end and throws it away.
 * @param limit bytes
 * @returns whether it stayed within the limit; the request is not `complete` when its rest was left unread
 * @throws when the connection breaks
 */
export async function discardBody(request: IncomingMessage, limit: number): Promise<boolean> {
  if (Number(request.headers['content-length'] ?? 0) > limit + patience) return false
  return new Promise((resolve, reject) => {
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length <= limit + patience) return
      request.pause()
      resolve(false)
    })
    request.once('end', () => resolve(length <= limit))
    request.once('error', reject)
    request.once('close', () => reject(new Error('the connection broke')))
  })
}
