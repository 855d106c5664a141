import { expect, test } from 'vitest'
import { changesOfClient } from './sessionclient.ts'

const device = 'Firefox on Windows'

test.each([
  ['203.0.113.7', '203.0.113.7', []],
  ['203.0.113.7', '203.0.250.1', []],
  ['203.0.113.7', '198.51.100.1', ['network']],
  ['2001:db8::1', '2001:0db8:ffff::2', []],
  ['2001:db8::1', '2001:db9::1', ['network']],
  ['2001::1', '2001:0:1::1', []],
  ['203.0.113.7', '2001:db8::1', ['network']],
  [undefined, '203.0.113.7', []],
  ['203.0.113.7', undefined, []],
])('from %s to %s is a change of %j', (from, to, changes) => {
  const [before, now] = [
    { address: from, deviceName: device },
    { address: to, deviceName: device },
  ]
  expect(changesOfClient(before, now)).toEqual(changes)
})

test('another device is a change', () => {
  const before = { address: '203.0.113.7', deviceName: device }
  expect(changesOfClient(before, { ...before, deviceName: 'curl' })).toEqual(['device'])
})
