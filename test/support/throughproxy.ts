import { ask } from './ask.ts'

export type Headers = Readonly<Record<string, string>>

/** What a proxy says that speaks TLS for id.example.com. */
export const proxied = {
  host: 'id.example.com',
  'x-forwarded-proto': 'https',
  'x-forwarded-for': '192.0.2.1',
}

export const json = { 'content-type': 'application/json' }
export const form = { 'content-type': 'application/x-www-form-urlencoded' }
/** What a browser says on our own pages. */
export const own = { origin: 'https://id.example.com', 'sec-fetch-site': 'same-origin' }

/** Asks an auth service as from behind that proxy. @param headers those that are empty are left out */
export async function askThrough(
  url: string,
  path: string,
  headers: Headers = {},
  method = 'GET',
  body?: string,
) {
  const all = Object.entries({ ...proxied, ...headers }).filter(([, value]) => value !== '')
  const answer = await ask(`${url}${path}`, {
    method,
    headers: all,
    ...(body !== undefined && { body }),
  })
  const { status, body: text } = answer
  return { status, body: text, header: (name: string) => answer.all(name).join(' & ') }
}

/** The code of a problem. */
export const codeOf = (body: string) => (JSON.parse(body) as { code: string }).code
