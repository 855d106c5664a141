import { expect, test } from 'vitest'
import { ClientAddresses, type Peer } from './clientaddress.ts'

const addresses = new ClientAddresses(['10.0.0.0/8'])
const proxy: Peer = { address: '10.0.0.1', trusted: true }
const stranger: Peer = { address: '192.0.2.1', trusted: false }

test.each([
  ['a stranger is the client', stranger, undefined, '192.0.2.1'],
  ['what a stranger says of others is not believed', stranger, '10.9.9.9', '192.0.2.1'],
  ['a trusted proxy says who the client is', proxy, '203.0.113.9', '203.0.113.9'],
  ['a trusted proxy that says nothing is not the client', proxy, undefined, undefined],
  ['nor is one that says it without words', proxy, '', undefined],
  ['a client within the trusted networks', proxy, '10.1.1.1', '10.1.1.1'],
])('%s', (_, peer, forwardedFor, client) => {
  expect(addresses.client(peer, forwardedFor)).toBe(client)
})
