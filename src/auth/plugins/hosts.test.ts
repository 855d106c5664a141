import { expect, test } from 'vitest'
import { Hosts } from './hosts.ts'

const hosts = new Hosts('https://id.example.com', '.id.example.com')

test.each([
  ['id.example.com', 'https://id.example.com'],
  ['ID.Example.COM', 'https://id.example.com'],
  ['id.example.com:443', 'https://id.example.com'],
  ['acme.id.example.com', 'https://acme.id.example.com'],
])('%s is a host of ours', (host, origin) => {
  expect(hosts.originOf(host)).toBe(origin)
})

test.each([
  undefined,
  '',
  'evil.example',
  'example.com',
  'id.example.com.',
  'id.example.com:8443',
  'id.example.com.evil.example',
  'evil.example#.id.example.com',
  'evil.example/.id.example.com',
  'evil.example\\.id.example.com',
  'user@id.example.com',
  'id.example.com, evil.example',
  'id.example.com ',
  'a.b.id.example.com',
  '-a.id.example.com',
  '.id.example.com',
  'evilid.example.com',
  '127.0.0.1',
  'localhost',
])('%s is none', (host) => {
  expect(hosts.originOf(host)).toBeUndefined()
})

test('another port is another origin', () => {
  const other = new Hosts('https://id.example.com:8443', '.id.example.com')
  expect(other.originOf('id.example.com:8443')).toBe('https://id.example.com:8443')
  expect(other.originOf('acme.id.example.com:8443')).toBe('https://acme.id.example.com:8443')
  expect(other.originOf('id.example.com')).toBeUndefined()
})

test('without a domain of hosts, organizations have none', () => {
  expect(new Hosts('https://id.example.com').originOf('acme.id.example.com')).toBeUndefined()
})

test.each(['localhost:8081', '127.0.0.1:8082', '[::1]:8080'])(
  'whoever tries us out on their own machine reaches each replica: %s',
  (host) => {
    expect(new Hosts('http://localhost:8080').originOf(host)).toBe(`http://${host}`)
  },
)

test.each(['localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '0.0.0.0'])(
  'there %s is no host of ours either',
  (host) => {
    expect(new Hosts('http://localhost:8080').originOf(host)).toBeUndefined()
  },
)
