import { hash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BreachedPasswordRange } from './breachedpasswords.ts'

const password = 'seven purple lanterns adrift'
const digest = hash('sha1', password, 'hex').toUpperCase()
const [prefix, rest] = [digest.slice(0, 5), digest.slice(5)]
const warnings: string[] = []
const log = {
  debug: () => {},
  info: () => {},
  warn: (_detail: object, message: string) => void warnings.push(message),
  error: () => {},
}
let server: Server
let answer: RequestListener
const seen: { url: string | undefined; padding: unknown }[] = []

beforeEach(async () => {
  warnings.length = 0
  seen.length = 0
  server = createServer((request, response) => {
    seen.push({ url: request.url, padding: request.headers['add-padding'] })
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const has = (text = password) => {
  const { port } = server.address() as AddressInfo
  return new BreachedPasswordRange(`http://127.0.0.1:${port}/range/`, log).has(text)
}
const lines = (...all: string[]): RequestListener => {
  return (_request, response) => void response.end(all.join('\r\n'))
}
const other = '0018A45C4D1DEF81644B54AB7F969B88D65'

test('a breached password is found by five digits of its digest, and no more is given away', async () => {
  answer = lines(`${other}:3`, `${rest}:17`)
  expect(await has()).toBe(true)
  expect(seen).toEqual([{ url: `/range/${prefix}`, padding: 'true' }])
})

test.each([
  ['another digest', [`${other}:3`]],
  ['padding of the same digest', [`${rest}:0`]],
  ['nothing', ['']],
  ['what is no list', ['<html>', rest, `${rest}:x`]],
])('in %s none is found', async (_name, all) => {
  answer = lines(...all)
  expect(await has()).toBe(false)
  expect(warnings).toEqual([])
})

test.each<[string, RequestListener]>([
  ['refuses', (_request, response) => void response.writeHead(429).end()],
  [
    'sends elsewhere',
    (_request, response) => void response.writeHead(302, { location: '/' }).end(),
  ],
  ['hangs up', (request) => void request.socket.destroy()],
  ['says nothing', () => {}],
  ['never ends', (_request, response) => endless(response)],
])('where the collection %s, the password passes and the log says so', async (_name, how) => {
  answer = how
  expect(await has()).toBe(false)
  expect(warnings).toEqual(['the collection of breached passwords could not be asked'])
})

function endless(response: { write(text: string): boolean; writable: boolean }): void {
  const timer = setInterval(() => {
    if (response.writable) response.write(`${'x'.repeat(200_000)}\n`)
    else clearInterval(timer)
  }, 5)
  server.once('close', () => clearInterval(timer))
}
