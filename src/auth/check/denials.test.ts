import { expect, test } from 'vitest'
import type { Credential } from '../index/credential.ts'
import { DenialLog } from './denials.ts'

const credential = { id: 'secret', name: 'ci', tenant: { name: 'acme' } } as Credential
const aDenial = (known: boolean) => ({
  requestId: 'request',
  code: known ? ('address_not_allowed' as const) : ('credential_invalid' as const),
  address: '192.0.2.1',
  credential: known ? credential : undefined,
})

function aLog() {
  const lines: Record<string, unknown>[] = []
  const write = (detail: object, msg: string) => {
    lines.push({ ...detail, msg })
  }
  return { lines, log: new DenialLog({ debug: write, info: write, warn: write, error: write }) }
}

test('a flood of garbage does not hide where a known key is tried', () => {
  const { lines, log } = aLog()
  for (let n = 0; n < 10_000; n++) log.write(aDenial(false), 1000)
  log.write(aDenial(true), 1999)
  expect(lines).toHaveLength(51)
  expect(lines.at(-1)).toMatchObject({
    code: 'address_not_allowed',
    organization: 'acme',
    subject: 'ci',
    credentialId: 'secret',
  })
})

test('either kind has an end, and what was left out is counted', () => {
  const { lines, log } = aLog()
  for (let n = 0; n < 60; n++) log.write(aDenial(true), 1000)
  for (let n = 0; n < 70; n++) log.write(aDenial(false), 1000)
  expect(lines).toHaveLength(100)
  log.write(aDenial(false), 2000)
  expect(lines.slice(100)).toEqual([
    { omitted: 30, known: 10, msg: 'more was denied than is logged' },
    expect.objectContaining({ msg: 'denied' }),
  ])
})
